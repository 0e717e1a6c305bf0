import { Clock, Effect } from "effect";
import type { DataDirectory } from "./data-directory.ts";
import { EmbeddedServerError } from "./embedded-server-error.ts";
import { type FileLock, tryLockFile } from "./file-lock.ts";
import { type Sighting, sight } from "./process-identity.ts";
import { readRecord, type ServerRecord } from "./server-record.ts";

/** What to do about whatever an earlier run left on the store. */
export type Verdict =
  | { readonly _tag: "Clear" }
  /** Ours without doubt: recorded here, born at the recorded moment, running on the recorded configuration. */
  | { readonly _tag: "End"; readonly pid: number }
  /** May be a nats-server on our store, and may be anything else. */
  | { readonly _tag: "Refuse"; readonly pid: number | undefined };

/**
 * Judges by three witnesses: the lock that a nats-server holds while it lives, the record of the last one, and what the
 * system says of that process. Ends nothing that is not ours, and starts nothing beside what could be.
 */
export const judge = (lockIsFree: boolean, record: ServerRecord | undefined, sighting: Sighting): Verdict => {
  const nobody: Verdict = lockIsFree ? { _tag: "Clear" } : { _tag: "Refuse", pid: undefined };
  if (record === undefined || sighting._tag === "Gone") return nobody;
  // A later process got the same id.
  if (sighting.startTime !== undefined && sighting.startTime !== record.startTime) return nobody;
  if (sighting.startTime !== undefined && sighting.command?.includes(record.configurationFile) === true)
    return { _tag: "End", pid: record.pid };
  return { _tag: "Refuse", pid: record.pid };
};

const pollMillis = 100;
/** A launcher whose parent died before it was recorded ends by itself, well within this. */
const unrecordedMillisMax = 3_000;
const termMillisMax = 10_000;
const killMillisMax = 5_000;

/**
 * Ends the nats-server that an earlier run left on this store, if there is one, and returns the store's lock: with it
 * in hand nothing else that respects the lock can be on the store.
 */
export const clearStore = Effect.fn("streams.clearStore")(function* (directory: DataDirectory) {
  const startedMillis = yield* Clock.currentTimeMillis;
  for (;;) {
    const record = yield* readRecord(directory.recordFile);
    const sighting: Sighting = record === undefined ? { _tag: "Gone" } : yield* sight(record.pid);
    const lock = yield* tryLockFile(directory.natsLockFile);
    const verdict = judge(lock !== undefined, record, sighting);
    if (verdict._tag === "Clear" && lock !== undefined) return lock;
    yield* lock?.release ?? Effect.void;
    if (verdict._tag === "End" && record !== undefined) yield* endRecorded(record);
    const waitedMillis = (yield* Clock.currentTimeMillis) - startedMillis;
    if (verdict._tag === "Refuse" && (verdict.pid !== undefined || waitedMillis >= unrecordedMillisMax))
      return yield* refusal(directory, verdict.pid);
    yield* Effect.sleep(pollMillis);
  }
}) satisfies (directory: DataDirectory) => Effect.Effect<FileLock, EmbeddedServerError>;

const endRecorded = Effect.fnUntraced(function* (record: ServerRecord) {
  yield* Effect.logWarning("A nats-server of an earlier run is still on the store. Ending it first.", {
    pid: record.pid,
  });
  for (const [signal, millisMax] of [
    ["SIGTERM", termMillisMax],
    ["SIGKILL", killMillisMax],
  ] as const) {
    send(record.pid, signal);
    // A stopped process acts on its signals only when it goes on.
    send(record.pid, "SIGCONT");
    for (let waited = 0; waited < millisMax; waited += pollMillis) {
      if (!(yield* stillThere(record))) return yield* Effect.void;
      yield* Effect.sleep(pollMillis);
    }
  }
  return yield* new EmbeddedServerError({
    reason: "orphan",
    message:
      `The nats-server of an earlier run (process ${record.pid}) does not end, not even by SIGKILL. ` +
      "Two nats-servers on one store destroy data, so none is started. End it by hand, then start again.",
  });
});

const stillThere = (record: ServerRecord) =>
  sight(record.pid).pipe(
    Effect.map((sighting) => sighting._tag === "Alive" && sighting.startTime === record.startTime),
  );

const send = (pid: number, signal: NodeJS.Signals) => {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself, or is not ours to signal: what follows looks at it again.
  }
};

const refusal = (directory: DataDirectory, pid: number | undefined) =>
  new EmbeddedServerError({
    reason: "unidentified",
    message:
      (pid === undefined
        ? `Some process holds ${directory.natsLockFile}, and ${directory.recordFile} does not tell which. `
        : `Process ${pid}, recorded in ${directory.recordFile}, is alive, and it cannot be told whether it is the nats-server on this store. `) +
      "Two nats-servers on one store destroy data, so none is started. " +
      (pid === undefined
        ? `Find it with: fuser -v ${directory.natsLockFile} (or lsof). End it if it is a nats-server, then start again.`
        : `Look at it with: ps -fp ${pid}. End it if it is a nats-server; otherwise remove the record. Then start again.`),
  });
