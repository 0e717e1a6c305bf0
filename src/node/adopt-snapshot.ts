import { Clock, Effect, Semaphore } from "effect";
import { emptyJobSet } from "../actors/ports/jobs.ts";
import { pairKey } from "../domain/partition.ts";
import { segmentOf, segmentOfPair } from "../domain/segment-of.ts";
import { steadyMillis } from "../domain/steady-clock.ts";
import type { Adoption, RemovedEntry } from "../serving/serving-gate.ts";
import type { Untold } from "../serving/untold-grace.ts";
import type { Manifest } from "../snapshot/manifest.ts";
import { decodeRemoval } from "../snapshot/removal.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { decodeStoredJob, encodeJob } from "../streams/job-codec.ts";
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
  const grace = new RemovalGrace(table);
  // An adoption lets others have their turn: nobody may make a set of a part of it.
  const oneAtATime = Semaphore.makeUnsafe(1);
  let served: Numbered = { set: table.set(0), position: 0 };
  let isBlank = false;
  let onAdopted: () => void = nothing;
  let onRewound: (position: number) => void = nothing;
  let onTouched: (job: TouchedJob) => void = nothing;

  const now = Effect.gen(function* () {
    const graceMillis = isGraceOn() ? removalGraceSeconds * 1_000 : 0;
    return { graceMillis, wallMillis: yield* Clock.currentTimeMillis, steadyMillis: yield* steadyMillis };
  });

  const adopt = Effect.fn("node.adoptSnapshot")(function* ({ put, removed }: Adoption, manifest: Manifest) {
    const at = yield* now;
    for (const [i, entry] of put.entries()) {
      if (i % sliceSize === sliceSize - 1) yield* Effect.yieldNow;
      onTouched(entry);
      putInto(table, entry, grace, at);
    }
    for (const entry of removed) {
      const [customer] = table.brief(entry.id)?.pairKey.split(".") ?? [];
      if (customer !== undefined) onTouched({ customer, id: entry.id });
      remove(table, entry, grace, at);
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
  }, oneAtATime.withPermits(1));

  /** Lets go of what was removed long enough ago. To be called now and then. */
  const endGrace = Effect.gen(function* () {
    if (!grace.end(yield* steadyMillis)) return;
    served = { set: table.set(served.set.number), position: served.position };
    onAdopted();
  }).pipe(oneAtATime.withPermits(1));

  /** What no snapshot tells of the graces that go on: for the next start of this node. */
  const untold = Effect.gen(function* () {
    const { steadyMillis: nowMillis, wallMillis } = yield* now;
    const { jobs, pairs } = grace.untold(nowMillis);
    return [
      ...jobs.map(({ leftMillis, stored: { job, revision } }): Untold => {
        return {
          id: job.id,
          revision,
          untilMillis: wallMillis + leftMillis,
          job: Buffer.from(encodeJob(job)).toString(),
        };
      }),
      ...pairs.map(({ key, leftMillis }): Untold => ({ key, untilMillis: wallMillis + leftMillis })),
    ];
  });

  /** Goes on with the graces of this node's life before. */
  const resume = Effect.fnUntraced(function* (all: ReadonlyArray<Untold>) {
    const { graceMillis, steadyMillis: nowMillis, wallMillis } = yield* now;
    for (const each of all) {
      const leftMillis = Math.min(each.untilMillis - wallMillis, graceMillis);
      if (leftMillis <= 0) continue;
      if ("key" in each) grace.keepPair(each.key, nowMillis + leftMillis);
      else {
        const job = decodeStoredJob(each.id, Buffer.from(each.job));
        const isThere = table.has(each.id) || grace.kept(each.id) !== undefined;
        if (job !== undefined && !isThere) grace.hold({ job, revision: each.revision }, nowMillis + leftMillis, false);
      }
    }
    served = { set: table.set(served.set.number), position: served.position };
  }, oneAtATime.withPermits(1));

  return {
    adopt,
    endGrace,
    untold,
    resume,
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

/** How long what goes now is kept, and since when that counts. */
interface GraceNow {
  readonly graceMillis: number;
  readonly wallMillis: number;
  readonly steadyMillis: number;
}

const putInto = (
  table: JobTable,
  { customer, data, dataset, id, revision, state }: SnapshotEntry,
  grace: RemovalGrace,
  { graceMillis, steadyMillis: nowMillis }: GraceNow,
): void => {
  const job = decodeStoredJob(id, data);
  // The gate has decoded it.
  if (job === undefined) throw new Error(`the push job ${id} of a snapshot does not decode`);
  const wasEnabled = table.brief(id)?.enabled === true;
  const key = pairKey(customer, dataset);
  table.put({ job, revision }, data);
  grace.back(id);
  if (state === "enabled") grace.used(key);
  else if (wasEnabled && graceMillis > 0) grace.keepPair(key, nowMillis + graceMillis);
};

/** What a segment says of an id is true of its own customers' jobs: another customer may have the id since. */
const remove = (table: JobTable, entry: RemovedEntry, grace: RemovalGrace, at: GraceNow): void => {
  const { customer, data, id, revision } = entry;
  const isOfIts = (key: string) => segmentOfPair(key) === segmentOf(customer);
  const live = table.get(id);
  if (live !== undefined && !isOfIts(pairKey(live.job.customer, live.job.dataset))) return;
  const kept = live === undefined ? grace.kept(id) : undefined;
  if (kept !== undefined && (kept.revision === revision || (kept.revision > revision && !isOfIts(kept.pairKey))))
    return;
  const removal = decodeRemoval(data);
  // Removed by going back to before it was added: nothing but this node tells of its settings.
  const last = live?.job ?? (removal === undefined ? undefined : decodeStoredJob(id, removal.last));
  // Kept already, and nobody served it since.
  if (last === undefined && kept !== undefined) return;
  // Served until now, it goes now, whenever another node's clock says that it went. What is found removed already is
  // reckoned by that; a clock that is ahead must not keep it for ever.
  const passedMillis = live !== undefined || removal === undefined ? 0 : Math.max(0, at.wallMillis - removal.millis);
  const leftMillis = at.graceMillis - passedMillis;
  if (last === undefined || leftMillis <= 0) table.delete(id);
  else grace.hold({ job: last, revision }, at.steadyMillis + leftMillis, removal !== undefined);
};

function* touched(put: Adoption["put"], removed: Adoption["removed"]): Generator<string> {
  for (const { id } of put) yield id;
  for (const { id } of removed) yield id;
}
