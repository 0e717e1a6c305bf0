import { Effect, Result } from "effect";
import type { BlastRadius, GateRefusal, GateVerdict } from "../../domain/blast-radius.ts";
import { changedSegments, entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import { catalogueChanges, catalogueRules, type Catalogues, cataloguesOf } from "./catalogue-rules.ts";
import { type Change, changesBetween } from "./changes.ts";
import { Ids, type ServedPair } from "./ids.ts";
import { RadiusTally } from "./radius.ts";
import { contentRules, type GateLimits, thresholdRules } from "./rules.ts";

/** What the job store itself says of one job: asked apart from what the snapshot was generated from. */
export interface StoreAnswer {
  readonly revision: number;
  readonly state: "enabled" | "disabled" | "removed";
  /** Its settings, as a snapshot holds them. */
  readonly data?: Uint8Array;
}

export interface GateFacts {
  /** Of the job store of this cluster. */
  readonly cell: string;
  readonly limits: GateLimits;
  /** What is in force now; undefined before there ever was one. */
  readonly previous: Snapshot | undefined;
  /** The snapshot whose content a rollback brings back: it passed once. */
  readonly rollbackOf: Snapshot | undefined;
  /** The newest that the store has of a job; undefined: no trace of it. */
  readonly inStore: (id: string) => Effect.Effect<StoreAnswer | undefined, StoreSilent>;
  /** What is stored and not in force. May become less at any time. */
  readonly pending: PendingChanges;
  /** What is in force of an id, whichever segment has it. */
  readonly servedPair?: ServedPair;
  /** Uncompressed bytes a second of the customers of a segment in recent traffic; undefined: not measured. */
  readonly trafficOf: (segment: number) => number | undefined;
  /** What is wrong with a job that would be served: a field, a destination that may not be reached. */
  readonly problemOf: (entry: SnapshotEntry) => string | undefined;
  /** Hash of a snapshot whose thresholds a person has accepted. */
  readonly accepted: string | undefined;
}

export interface PendingChanges {
  readonly isPending: (id: string, revision: number, data: Uint8Array) => boolean;
  readonly pendingUpTo: (revision: number) => number;
}

/** Without the store's answer nothing passes; asked again, it may. */
export interface StoreSilent {
  readonly _tag: "StoreSilent";
  readonly detail: string;
}

/** Between two of so many jobs, others have their turn. */
const sliceSize = 5_000;
const examplesMax = 10;
/** Changes that wait to be asked for, and questions that are asked at once. */
const askedMax = 1_024;
const questionsMax = 64;

/** What was found in the content, segment after segment. */
interface Found {
  readonly tally: RadiusTally;
  readonly ids: Ids;
  readonly damaged: Array<string>;
  readonly unexplained: Array<string>;
  readonly unordered: Array<string>;
  readonly problems: Array<{ readonly id: string; readonly problem: string }>;
  /** Whether the store has ordered them is still to be asked. */
  asked: Array<Change>;
  /** The store did not answer: it is asked nothing more. */
  silent: { readonly detail: string; readonly jobs: ReadonlyArray<string> } | undefined;
  unexplainedCount: number;
  unorderedCount: number;
  problemCount: number;
  /** Changes that were pending and are in it. */
  included: number;
  entries: number;
}

/**
 * Judges a snapshot before any node may serve it. Reads only what differs from the one in force, and asks the job store
 * itself who ordered each removal. Whatever happens here, what is in force stays in force.
 */
export const judge = Effect.fn("control.gate.judge")(function* (next: Snapshot, given: GateFacts) {
  // Only what says itself that it is a rollback is judged as one.
  const facts = next.manifest.rollbackOf === undefined ? { ...given, rollbackOf: undefined } : given;
  const found: Found = {
    tally: new RadiusTally(),
    ids: new Ids(),
    damaged: [],
    unexplained: [],
    unordered: [],
    problems: [],
    asked: [],
    silent: undefined,
    unexplainedCount: 0,
    unorderedCount: 0,
    problemCount: 0,
    included: 0,
    entries: 0,
  };
  for (const segment of changedSegments(facts.previous?.manifest, next.manifest)) {
    const after = entriesOf(next, segment);
    const before = facts.previous === undefined ? Result.succeed([]) : entriesOf(facts.previous, segment);
    if (Result.isFailure(after)) found.damaged.push(`segment ${segment}: ${after.failure.message}`);
    else if (Result.isFailure(before)) found.damaged.push(`segment ${segment} in force: ${before.failure.message}`);
    else yield* judgeSegment(segment, before.success, after.success, found, facts);
    if (found.asked.length >= askedMax) yield* askStore(found, facts);
  }
  yield* askStore(found, facts);
  const catalogues = cataloguesOf(facts.previous, next);
  const changes = catalogueChanges(catalogues, next.manifest);
  const radius = found.tally.radius(facts.previous?.manifest, next.manifest, facts.limits.jobsMax, changes);
  return verdictOf(next, facts, radius, found, catalogues);
});

const judgeSegment = Effect.fnUntraced(function* (
  segment: number,
  before: ReadonlyArray<SnapshotEntry>,
  after: ReadonlyArray<SnapshotEntry>,
  found: Found,
  facts: GateFacts,
) {
  for (const { data, id, revision } of after) if (facts.pending.isPending(id, revision, data)) found.included += 1;
  const bytesPerSecond = bytesOfEach(facts.trafficOf(segment), before);
  for (const change of changesBetween(before, after)) {
    if (++found.entries % sliceSize === 0) yield* Effect.yieldNow;
    found.tally.add(change, bytesPerSecond);
    found.ids.add(change);
    const { after: now, id } = change;
    if (now !== undefined && now.state === "enabled") noteProblem(now, found, facts);
    if (facts.rollbackOf !== undefined) continue;
    // What this node has heard of is not asked for once more, unless somebody would get no logs by it.
    const isKnown = !isStop(change) && now !== undefined && facts.pending.isPending(id, now.revision, now.data);
    if (isKnown) continue;
    // Nothing that could be asked for.
    if (now === undefined) noteUnordered(change, found);
    else found.asked.push(change);
  }
});

/** Spread evenly over the jobs that are delivered: nobody keeps a rate of each job. */
const bytesOfEach = (bytesPerSecond: number | undefined, before: ReadonlyArray<SnapshotEntry>): number | undefined => {
  if (bytesPerSecond === undefined) return undefined;
  const enabled = before.reduce((count, { state }) => count + (state === "enabled" ? 1 : 0), 0);
  return bytesPerSecond / Math.max(1, enabled);
};

const isStop = ({ effect }: Change): boolean => effect === "removed" || effect === "disabled";

/** Many at once: a wave of removals is a question for each of them. */
const askStore = Effect.fnUntraced(function* (found: Found, facts: GateFacts) {
  const { asked } = found;
  found.asked = [];
  if (asked.length === 0 || found.silent !== undefined) return;
  const answers = yield* Effect.result(
    Effect.forEach(asked, (change) => isOrdered(change, facts), { concurrency: questionsMax }),
  );
  if (Result.isFailure(answers)) {
    found.silent = { detail: answers.failure.detail, jobs: asked.slice(0, examplesMax).map(({ id }) => id) };
    return;
  }
  for (const [i, change] of asked.entries()) if (!answers.success[i]!) noteUnordered(change, found);
});

const noteUnordered = (change: Change, found: Found): void => {
  if (isStop(change)) found.unexplainedCount += 1;
  else found.unorderedCount += 1;
  const examples = isStop(change) ? found.unexplained : found.unordered;
  if (examples.length < examplesMax) examples.push(change.id);
};

/**
 * Changes that it claims to reflect and does not have: nobody would ever make up for them. Counted after everything was
 * read, for what was included may have been changed again meanwhile, and is pending at a later revision then.
 */
const missingIn = ({ manifest }: Snapshot, { pending, rollbackOf }: GateFacts, { included }: Found): number =>
  rollbackOf === undefined ? Math.max(0, pending.pendingUpTo(manifest.position) - included) : 0;

const noteProblem = (entry: SnapshotEntry, found: Found, { problemOf }: GateFacts): void => {
  const problem = problemOf(entry);
  if (problem === undefined) return;
  found.problemCount += 1;
  if (found.problems.length < examplesMax) found.problems.push({ id: entry.id, problem });
};

/** The revision that the snapshot names is the one at which the store has it removed or disabled, or a later one is. */
const isOrdered = Effect.fnUntraced(function* ({ after, id }: Change, { inStore }: GateFacts) {
  // Of thousands one may go unanswered, which says nothing yet.
  const answer = yield* inStore(id).pipe(Effect.retry({ times: 1 }));
  if (after === undefined || answer === undefined || answer.revision < after.revision) return false;
  if (answer.revision > after.revision) return true;
  return answer.state === after.state && (answer.data === undefined || Buffer.compare(answer.data, after.data) === 0);
});

const verdictOf = (
  next: Snapshot,
  facts: GateFacts,
  radius: BlastRadius,
  found: Found,
  catalogues: Catalogues,
): GateVerdict => {
  const all: ReadonlyArray<GateRefusal> = [
    ...contentRules({
      next: next.manifest,
      ...facts,
      radius,
      ...found,
      missing: missingIn(next, facts, found),
      twice: found.ids.servedTwice(facts.servedPair ?? (() => undefined)),
    }),
    ...catalogueRules(catalogues, next.manifest),
    ...thresholdRules({ next: next.manifest, ...facts, radius, tally: found.tally }),
  ];
  const isAccepted = facts.accepted === next.hash;
  const refusals = all.filter(({ acceptable }) => !(acceptable && isAccepted));
  const { jobs } = radius;
  const touched = Object.values(jobs).reduce((sum, count) => sum + count, 0);
  return {
    snapshot: next.hash,
    number: next.manifest.number,
    previous: next.manifest.previous,
    passed: refusals.length === 0,
    small:
      facts.previous !== undefined &&
      radius.customers.touched <= 1 &&
      touched <= facts.limits.smallChangeJobsMax &&
      radius.datasets.added.length === 0 &&
      facts.previous.manifest.catalogue.hash === next.manifest.catalogue.hash,
    radius,
    refusals,
    accepted: isAccepted ? all.filter(({ acceptable }) => acceptable).map(({ rule }) => rule) : [],
  };
};
