import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Effect, Option, Schema } from "effect";
import { KillSwitch } from "../domain/kill-switch.ts";

/** The disk does not take or give what it should. The node goes on with what it has in memory. */
export class SwitchCopyError extends Schema.TaggedError<SwitchCopyError>()("SwitchCopyError", {
  path: Schema.String,
  detail: Schema.String,
}) {}

/** The kill switches that this node last knew to be on, on its own disk: for a start without NATS's copy of them. */
export interface SwitchCopy {
  /** Empty when there is none, or none that can be read, which is said. */
  readonly load: Effect.Effect<ReadonlyArray<KillSwitch>, SwitchCopyError>;
  /** Durable when it completes. */
  readonly save: (switches: ReadonlyArray<KillSwitch>) => Effect.Effect<void, SwitchCopyError>;
}

const Copy = Schema.Struct({ version: Schema.Literal(1), switches: Schema.Array(KillSwitch) });
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Copy));

export const switchCopyIn = (directory: string): SwitchCopy => {
  const path = join(directory, "kill-switches.json");
  const attempt = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({
      try: run,
      catch: (error) => new SwitchCopyError({ path, detail: error instanceof Error ? error.message : String(error) }),
    });
  return {
    load: Effect.gen(function* () {
      const text = yield* attempt(() =>
        readFile(path, "utf8").catch((error) => (isMissing(error) ? undefined : Promise.reject(error))),
      );
      if (text === undefined) return [];
      const copy = Option.getOrUndefined(decode(text));
      if (copy !== undefined) return copy.switches;
      yield* Effect.logError("This node's copy of the kill switches is damaged: it is not used.", { path });
      return [];
    }),
    save: (switches) => attempt(() => writeDurably(path, JSON.stringify({ version: 1, switches }))),
  };
};

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** The file is there whole, old or new. */
const writeDurably = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};
