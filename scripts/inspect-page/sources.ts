import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { bufferMachine } from "../../src/actors/buffer/machine.ts";
import { chartModelOf } from "./chart-model.ts";

/** Everything that the generated page is made of. */
const names = ["page.html", "page.css", "page.js"] as const;

export const readPart = (name: (typeof names)[number]): string =>
  readFileSync(new URL(`../../web/inspect/${name}`, import.meta.url), "utf8");

/** Changes when the machine's states or transitions do, or the page's own sources: then it must be generated anew. */
export const fingerprint = (): string => {
  const hash = createHash("sha256").update(JSON.stringify(chartModelOf(bufferMachine)));
  for (const name of names) hash.update(readPart(name));
  for (const name of ["generate.mjs", "draw.mjs"]) hash.update(readFileSync(new URL(name, import.meta.url)));
  return hash.digest("hex");
};
