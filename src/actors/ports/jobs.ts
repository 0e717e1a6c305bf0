import { Context, type Effect } from "effect";
import { type Pair, pairKey } from "../../domain/partition.ts";
import type { StoredJob } from "../../domain/push-job.ts";

/**
 * The push jobs that this node acts on, at one number. Immutable: a change makes a new one, so that a reader sees one
 * consistent set for as long as it holds it.
 */
export interface JobSet {
  /** The store's sequence that this set reflects: rises with every change. */
  readonly number: number;
  readonly byId: ReadonlyMap<string, StoredJob>;
  /** Pairs with at least one enabled push job: all that a forwarder lets in. Keyed by `Pair.key`. */
  readonly pairs: ReadonlyMap<string, Pair>;
  /** All jobs of a pair, disabled ones included. Keyed by `Pair.key`. */
  readonly byPair: ReadonlyMap<string, ReadonlyArray<StoredJob>>;
  /** See `briefOf`; where it is missing, `byId` answers. */
  readonly brief?: (id: string) => JobBrief | undefined;
  /** See `briefsOf`. */
  readonly briefs?: () => Iterable<readonly [id: string, brief: JobBrief]>;
  /** See `idsAfter`. */
  readonly idsAfter?: (after: string | undefined) => Iterable<string>;
  /** See `changedIds`; undefined: this set cannot tell. */
  readonly changedSince?: (earlier: JobSet) => Iterable<string> | undefined;
}

/** What a set can say of a job without making an object of all its settings. */
export interface JobBrief {
  readonly pairKey: string;
  readonly revision: number;
  readonly enabled: boolean;
}

const briefFrom = ({ job, revision }: StoredJob): JobBrief => ({
  pairKey: pairKey(job.customer, job.dataset),
  revision,
  enabled: job.enabled,
});

/** Asked of each of a million jobs: most of them are never looked at any closer. */
export const briefOf = (set: JobSet, id: string): JobBrief | undefined => {
  if (set.brief !== undefined) return set.brief(id);
  const stored = set.byId.get(id);
  return stored === undefined ? undefined : briefFrom(stored);
};

/** All jobs of a set, in no particular order. */
export function* briefsOf(set: JobSet): Generator<readonly [id: string, brief: JobBrief]> {
  if (set.briefs !== undefined) yield* set.briefs();
  else for (const [id, stored] of set.byId) yield [id, briefFrom(stored)];
}

/** The ids of a set in their order, for lists that are read page by page. To be read in one go. */
export function* idsAfter(set: JobSet, after: string | undefined): Generator<string> {
  if (set.idsAfter !== undefined) yield* set.idsAfter(after);
  else for (const id of [...set.byId.keys()].toSorted()) if (after === undefined || id > after) yield id;
}

/** The jobs that are in one of two sets only, or differ: in their revision, or in their grace alone. */
export const changedIds = (before: JobSet, after: JobSet): Iterable<string> => {
  const known = after.changedSince?.(before);
  if (known !== undefined) return known;
  const changed = new Set<string>();
  for (const [id, stored] of after.byId) if (before.byId.get(id) !== stored) changed.add(id);
  for (const id of before.byId.keys()) if (!after.byId.has(id)) changed.add(id);
  return changed;
};

export const emptyJobSet: JobSet = { number: 0, byId: new Map(), pairs: new Map(), byPair: new Map() };

/**
 * Why a job is in no set. `removed`: the store holds the marker of its removal. `stored`: it is there and not served
 * (yet). `forgotten`: the store has no trace of it. `unknown`: the store does not answer.
 */
export type JobAbsence = "removed" | "stored" | "forgotten" | "unknown";

/** What forwarders and owners ask about push jobs. */
export class Jobs extends Context.Service<
  Jobs,
  {
    /** The set in force for forwarders: adopted by the owners of this node first. */
    readonly served: () => JobSet;
    /**
     * Registers an owner. `adopt` is run with the current set at once and with each later one, before forwarders serve
     * it: additions reach owners first.
     */
    readonly onChange: (adopt: (set: JobSet) => Effect.Effect<void>) => Effect.Effect<void>;
    /**
     * The job as it was at a revision, for a batch that must be finished under it; undefined when history forgot it.
     */
    readonly atRevision: (id: string, revision: number) => Effect.Effect<StoredJob | undefined>;
    /** Asks the store itself: that a job is missing from a set does not say that anybody removed it. */
    readonly absence: (id: string) => Effect.Effect<JobAbsence>;
  }
>()("spillway/actors/ports/Jobs") {}
