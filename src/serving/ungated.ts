import { Effect, Result } from "effect";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../snapshot/snapshot.ts";
import type { Adoption, RemovedEntry } from "./serving-gate.ts";

/** What serving a snapshot takes, whatever is wrong with it: for drills that show what the gate is good for. */
export const adoptionUngated = Effect.fn("serving.adoptionUngated")(function* (
  next: Snapshot,
  current: Snapshot | undefined,
) {
  const put: Array<SnapshotEntry> = [];
  const removed: Array<RemovedEntry> = [];
  for (let segment = 0; segment < next.manifest.segments.length; segment++) {
    if (current?.manifest.segments[segment]!.hash === next.manifest.segments[segment]!.hash) continue;
    yield* Effect.yieldNow;
    const left = new Map(
      (current === undefined ? [] : Result.getOrElse(entriesOf(current, segment), () => [])).map((entry) => [
        entry.id,
        entry,
      ]),
    );
    for (const entry of Result.getOrElse(entriesOf(next, segment), () => [])) {
      left.delete(entry.id);
      if (entry.state === "removed") removed.push(entry);
      else put.push(entry);
    }
    for (const { customer, id, revision, state } of left.values()) {
      if (state !== "removed") removed.push({ id, customer, revision, data: new Uint8Array() });
    }
  }
  return { put, removed } satisfies Adoption;
});
