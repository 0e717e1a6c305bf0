import { Effect, Result } from "effect";
import type { ConfigDiff, JobDifference } from "../../domain/config-report.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import { changedSegments, entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import { decodeStoredJob } from "../../streams/job-codec.ts";
import { type Change, changesBetween } from "../gate/changes.ts";
import { redactJob } from "../redact-job.ts";

/** Jobs that are told of one by one. */
const changesMax = 200;

/** What differs, secrets left out. A segment that cannot be read is a failure with a text. */
export const diffOf = Effect.fn("control.diffOf")(function* (
  before: Snapshot | undefined,
  after: Snapshot,
): Effect.fn.Return<ConfigDiff, string> {
  const changes: Array<JobDifference> = [];
  let more = 0;
  for (const segment of changedSegments(before?.manifest, after.manifest)) {
    yield* Effect.yieldNow;
    const was = before === undefined ? Result.succeed([]) : entriesOf(before, segment);
    const now = entriesOf(after, segment);
    if (Result.isFailure(was)) return yield* Effect.fail(`segment ${segment}: ${was.failure.message}`);
    if (Result.isFailure(now)) return yield* Effect.fail(`segment ${segment}: ${now.failure.message}`);
    for (const change of changesBetween(was.success, now.success)) {
      if (changes.length < changesMax) changes.push(shown(change));
      else more += 1;
    }
  }
  const sorted = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { from: before?.manifest.number ?? 0, to: after.manifest.number, changes: sorted, more };
});

const shown = ({ after, before, customer, dataset, effect, fault, id }: Change): JobDifference => ({
  kind: fault ?? effect ?? "edited",
  ...(effect === undefined ? {} : { effect }),
  id,
  customer,
  dataset,
  revisionBefore: before?.revision ?? null,
  revisionAfter: after?.revision ?? null,
  before: settingsIn(before),
  after: settingsIn(after),
});

const settingsIn = (entry: SnapshotEntry | undefined): unknown => {
  if (entry === undefined || entry.state === "removed") return null;
  const job = decodeStoredJob(entry.id, entry.data);
  return job === undefined ? null : redactJob(job);
};
