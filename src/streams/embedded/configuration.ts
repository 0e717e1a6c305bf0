import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Effect } from "effect";
import type { DataDirectory } from "./data-directory.ts";
import { attemptFile } from "./embedded-server-error.ts";

/** Bytes throughout. */
export interface ServerSettings {
  readonly port: number;
  readonly fileStoreBytesMax: number;
  readonly messageBytesMax: number;
}

const templateFile = fileURLToPath(new URL("../../../config/nats/jetstream.conf", import.meta.url));

/** The same for a data directory at every start, so that a server on our port can be told from a stranger's. */
export const serverNameOf = (directory: DataDirectory): string =>
  `spillway-${createHash("sha256").update(directory.path).digest("hex").slice(0, 12)}`;

/** Fills in `config/nats/jetstream.conf` and puts it into the data directory. */
export const writeConfiguration = (directory: DataDirectory, settings: ServerSettings) =>
  attemptFile(`write ${directory.configurationFile}`, async () => {
    const template = await readFile(templateFile, "utf8");
    const text = render(template, {
      ...settings,
      serverName: serverNameOf(directory),
      storeDirectory: directory.storeDirectory,
      logFile: directory.logFile,
    });
    await writeFile(directory.configurationFile, text, { mode: 0o600 });
  }).pipe(Effect.asVoid);

/** Replaces `{{word}}` by its value: numbers as they are, strings quoted. A word without a value is a bug. */
export const render = (template: string, values: Readonly<Record<string, string | number>>): string =>
  template.replaceAll(/\{\{(\w+)\}\}/g, (_, word: string) => {
    const value = values[word];
    if (value === undefined) throw new Error(`config/nats/jetstream.conf asks for an unknown word: ${word}`);
    return JSON.stringify(value);
  });
