import { Effect } from "effect";
import { fileURLToPath } from "node:url";
import { readSource } from "./read-source.ts";

/** The same depth below the package's root in a clone (`src/`) and in the package (`dist/`). */
const defaultsFile = fileURLToPath(new URL("../../config/default.json", import.meta.url));

/** The limits as they are shipped, whatever this node was told; empty when the file is gone. */
export const limitDefaults: Effect.Effect<Readonly<Record<string, number>>> = readSource(defaultsFile).pipe(
  Effect.map(
    ({ value }) => (value as { readonly limits?: Readonly<Record<string, number>> } | undefined)?.limits ?? {},
  ),
  Effect.orElseSucceed(() => ({})),
);
