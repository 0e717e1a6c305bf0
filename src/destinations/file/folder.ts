import { Data, Effect } from "effect";
import { mkdir, open, opendir, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, messageOf } from "../detail.ts";
import { type FileTarget, isTemporary, isTemporaryOf } from "./request.ts";

/** A file system call failed, with Node's code, such as `ENOSPC`. */
export class FileFailed extends Data.TaggedError("FileFailed")<{ readonly code: string; readonly detail: string }> {}

/** One file system call as an effect. */
export const attemptFile = <A>(run: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, FileFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new FileFailed({ code: codeOf(cause), detail: messageOf(cause) }),
  });

/** Makes a folder's entries durable: without it a power cut may forget a file whose content was synced. */
export const syncFolder = (folder: string): Effect.Effect<void, FileFailed> =>
  Effect.acquireUseRelease(
    attemptFile(() => open(folder, "r")),
    (handle) => attemptFile(() => handle.sync()),
    (handle) => Effect.ignore(attemptFile(() => handle.close())),
  );

/** Creates the folder and what is missing above it, durably, for the owner and the group only. */
export const createFolder = Effect.fnUntraced(function* (folder: string) {
  const topmost = yield* attemptFile(() => mkdir(folder, { recursive: true, mode: 0o750 }));
  if (topmost === undefined) return;
  // A folder is an entry of the folder above it: sync those, from the last created up to above the first.
  const above = dirname(topmost);
  for (let created = folder; created.length > above.length; created = dirname(created)) {
    yield* syncFolder(dirname(created));
  }
});

const entriesMax = 10_000;

/**
 * Removes temporaries that a crash left behind: those of the very file that is about to be written (its former writer
 * is dead or fenced), and those of any file that are older than a push can be. Reads at most 10,000 entries; what it
 * cannot remove it leaves.
 */
export const removeStaleTemporaries = Effect.fnUntraced(function* (target: FileTarget, olderThanMillis: number) {
  const names = yield* attemptFile(() => temporariesIn(target.folder));
  for (const name of names) {
    const path = `${target.folder}/${name}`;
    const stale = isTemporaryOf(name, target.final)
      ? Effect.succeed(true)
      : Effect.map(
          attemptFile(() => stat(path)),
          ({ mtimeMs }) => mtimeMs < olderThanMillis,
        );
    yield* Effect.ignore(Effect.flatMap(stale, (is) => (is ? attemptFile(() => unlink(path)) : Effect.void)));
  }
});

const temporariesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const names: Array<string> = [];
  let entries = 0;
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (entry.isFile() && isTemporary(entry.name)) names.push(entry.name);
    entries += 1;
    if (entries >= entriesMax) break;
  }
  return names;
};
