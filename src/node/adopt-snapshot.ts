import { Clock, Effect } from "effect";
import { emptyJobSet } from "../actors/ports/jobs.ts";
import type { Adoption, RemovedEntry } from "../serving/serving-gate.ts";
import type { Manifest } from "../snapshot/manifest.ts";
import { decodeRemoval } from "../snapshot/removal.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { decodeStoredJob } from "../streams/job-codec.ts";
import type { Numbered } from "../streams/job-serving.ts";
import type { JobTable } from "../streams/job-table.ts";
import type { StoredJobs } from "../streams/stored-jobs.ts";
import { RemovalGrace } from "./removal-grace.ts";

/** Between two of so many jobs, others have their turn. */
const sliceSize = 5_000;

const nothing = () => {};

const nothingServed: Numbered = { set: emptyJobSet, position: 0 };

export interface AdoptOptions {
  /** Identity of the job store; undefined: this node has not heard of it yet. */
  readonly cell: () => string | undefined;
  readonly removalGraceSeconds: number;
  /** Off only in a drill. */
  readonly isGraceOn: () => boolean;
}

export interface TouchedJob {
  readonly customer: string;
  readonly id: string;
}

/** Brings what an adoption changes into the table of served jobs, and makes a set of it when it is whole. */
export const adoptInto = (
  table: JobTable,
  stored: StoredJobs,
  { cell, isGraceOn, removalGraceSeconds }: AdoptOptions,
) => {
  const grace = new RemovalGrace(table, () => (isGraceOn() ? removalGraceSeconds * 1_000 : 0));
  let served: Numbered = { set: table.set(0), position: 0 };
  let isBlank = false;
  let onAdopted: () => void = nothing;
  let onRewound: (position: number) => void = nothing;
  let onTouched: (job: TouchedJob) => void = nothing;

  const adopt = Effect.fn("node.adoptSnapshot")(function* ({ put, removed }: Adoption, manifest: Manifest) {
    const nowMillis = yield* Clock.currentTimeMillis;
    for (const [i, entry] of put.entries()) {
      if (i % sliceSize === sliceSize - 1) yield* Effect.yieldNow;
      onTouched(entry);
      putInto(table, entry, grace, nowMillis);
    }
    for (const entry of removed) {
      const [customer] = table.brief(entry.id)?.pairKey.split(".") ?? [];
      if (customer !== undefined) onTouched({ customer, id: entry.id });
      remove(table, entry, grace, nowMillis);
    }
    if (put.length > sliceSize) table.trim();
    stored.setOtherStore(manifest.cell !== (cell() ?? manifest.cell));
    stored.settle(touched(put, removed));
    // Only now is it whole: whoever asked for a set meanwhile was given the one before.
    served = { set: table.set(manifest.number), position: manifest.position };
    // Gone, and nothing ordered it: what the store has of it was read long ago.
    if (manifest.rollbackOf === undefined && removed.some(({ data }) => data.length === 0)) onRewound(0);
    // What was ordered since, of jobs that nobody served then, was of no interest when it was read: such as the removal
    // of a job that this snapshot brings.
    if (put.length > 0 || manifest.rollbackOf !== undefined) onRewound(manifest.position);
    onAdopted();
  });

  /** Lets go of what was removed long enough ago. To be called now and then. */
  const endGrace = Effect.gen(function* () {
    if (!grace.end(yield* Clock.currentTimeMillis)) return;
    served = { set: table.set(served.set.number), position: served.position };
    onAdopted();
  });

  return {
    adopt,
    endGrace,
    inGrace: () => grace.size(),
    served: () => (isBlank ? nothingServed : served),
    isBlank: () => isBlank,
    /** What was adopted, or nothing, as a node that never had a configuration: the latter only ever in a drill. */
    serve: (what: "adopted" | "nothing") => {
      if (isBlank === (what === "nothing")) return;
      isBlank = !isBlank;
      onAdopted();
    },
    onAdopted: (notify: () => void) => {
      onAdopted = notify;
    },
    /** Called with each job that is not what it was, before it is so. */
    onTouched: (notify: (job: TouchedJob) => void) => {
      onTouched = notify;
    },
    /** What is served went back: everything after this position in the store differs from it again. */
    onRewound: (notify: (position: number) => void) => {
      onRewound = notify;
    },
  };
};

const putInto = (
  table: JobTable,
  { customer, data, dataset, id, revision, state }: SnapshotEntry,
  grace: RemovalGrace,
  nowMillis: number,
): void => {
  const job = decodeStoredJob(id, data);
  // The gate has decoded it.
  if (job === undefined) throw new Error(`the push job ${id} of a snapshot does not decode`);
  const wasEnabled = table.brief(id)?.enabled === true;
  table.put({ job, revision }, data);
  grace.back(id);
  if (state === "enabled") grace.used(`${customer}.${dataset}`);
  else if (wasEnabled) grace.unused(`${customer}.${dataset}`, nowMillis);
};

const remove = (table: JobTable, entry: RemovedEntry, grace: RemovalGrace, nowMillis: number): void => {
  const { data, id, revision } = entry;
  const removal = decodeRemoval(data);
  // Removed by going back to before it was added: nothing but this node tells of its settings.
  const last = table.get(id)?.job ?? (removal === undefined ? undefined : decodeStoredJob(id, removal.last));
  const isHeld = last !== undefined && grace.hold({ job: last, revision }, removal?.millis ?? nowMillis, nowMillis);
  if (!isHeld) table.delete(id);
};

function* touched(put: Adoption["put"], removed: Adoption["removed"]): Generator<string> {
  for (const { id } of put) yield id;
  for (const { id } of removed) yield id;
}
