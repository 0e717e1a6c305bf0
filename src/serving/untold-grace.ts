import { Effect, Schema } from "effect";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LastKnownGoodError } from "./last-known-good.ts";

/** A job that is kept for its grace, and of which no snapshot tells: it was added and that was rolled back. */
export interface UntoldJob {
  readonly id: string;
  readonly revision: number;
  /** Epoch millis. */
  readonly untilMillis: number;
  /** JSON, as the job was stored last. It may hold secrets. */
  readonly job: string;
}

/** A customer and dataset whose records are let in although none of their jobs is enabled. */
export interface UntoldPair {
  readonly key: string;
  readonly untilMillis: number;
}

export type Untold = UntoldJob | UntoldPair;

/**
 * Graces that only this node knows of, beside the last known good: a removal has its time in the snapshot, a job that
 * was disabled, or whose addition was rolled back, has not.
 */
export interface UntoldGraces {
  /** Empty: there are none, or none that can be read. */
  readonly load: Effect.Effect<ReadonlyArray<Untold>>;
  /** Durable when it completes. */
  readonly save: (all: ReadonlyArray<Untold>) => Effect.Effect<void, LastKnownGoodError>;
}

const fileName = "grace";

const Line = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({
      id: Schema.String,
      revision: Schema.Number,
      untilMillis: Schema.Number,
      job: Schema.String,
    }),
    Schema.Struct({ key: Schema.String, untilMillis: Schema.Number }),
  ]),
);
const decodeLine = Schema.decodeUnknownEffect(Line);

/** One file, a line for each, replaced as a whole. */
export const untoldGracesIn = (directory: string): UntoldGraces => {
  const path = join(directory, fileName);
  const failed = (error: unknown) =>
    new LastKnownGoodError({ path, message: error instanceof Error ? error.message : String(error) });
  const load = Effect.tryPromise({ try: () => readIfThere(path), catch: failed }).pipe(
    Effect.flatMap((text) => Effect.forEach(text.split("\n").filter(isFilled), (line) => decodeLine(line))),
    // Whatever it held is over sooner than it would have been: no reason not to start.
    Effect.catch(({ message }) =>
      Effect.as(Effect.logError("What this node knew of removal graces cannot be read.", { path, message }), []),
    ),
  );
  const save = (all: ReadonlyArray<Untold>) =>
    Effect.tryPromise({
      try: () => (all.length === 0 ? rm(path, { force: true }) : write(directory, path, all)),
      catch: failed,
    });
  return { load, save };
};

const readIfThere = (path: string): Promise<string> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? "" : Promise.reject(error),
  );

const isFilled = (line: string): boolean => line !== "";

/** Whole, or as before. */
const write = async (directory: string, path: string, all: ReadonlyArray<Untold>): Promise<void> => {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await file.writeFile(linesOf(all));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
};

function* linesOf(all: ReadonlyArray<Untold>): Generator<string> {
  for (const each of all) yield `${JSON.stringify(each)}\n`;
}
