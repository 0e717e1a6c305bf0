import type { BlastRadius, GateRefusal } from "../../domain/blast-radius.ts";
import { largestOf, type Manifest, wentBackAt } from "../../snapshot/manifest.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import type { RadiusTally } from "./radius.ts";

export interface GateLimits {
  readonly jobsMax: number;
  readonly segmentBytesMax: number;
  /** Jobs of one customer that may change without a canary; fewer than these never break a threshold. */
  readonly smallChangeJobsMax: number;
  /** Of the enabled jobs, the share that one snapshot may stop. */
  readonly removedPercentMax: number;
  /** The same of the jobs of one dataset. */
  readonly removedDatasetPercentMax: number;
  /** Of the jobs that there is still room for, the share that one snapshot may add. */
  readonly addedPercentMax: number;
  readonly redirectedPercentMax: number;
}

interface Content {
  readonly next: Manifest;
  readonly cell: string;
  readonly previous: Snapshot | undefined;
  readonly rollbackOf: Snapshot | undefined;
  readonly radius: BlastRadius;
  readonly tally: RadiusTally;
  readonly damaged: ReadonlyArray<string>;
  readonly unexplained: ReadonlyArray<string>;
  readonly unexplainedCount: number;
  readonly unordered: ReadonlyArray<string>;
  readonly unorderedCount: number;
  /** The job store did not answer, with some of the jobs that it was asked for. */
  readonly silent: { readonly detail: string; readonly jobs: ReadonlyArray<string> } | undefined;
  readonly problems: ReadonlyArray<{ readonly id: string; readonly problem: string }>;
  readonly problemCount: number;
  /** Changes of the store that it claims to have and has not. */
  readonly missing: number;
  /** Ids that would be jobs of two customers. */
  readonly twice: ReadonlyArray<string>;
}

const nothingIsLost = "What is in force stays in force.";

const never = (rule: string, message: string, remedy: string, jobs: ReadonlyArray<string> = []): GateRefusal => ({
  rule,
  message,
  remedy: `${remedy} ${nothingIsLost}`,
  jobs: jobs.slice(0, 10),
  acceptable: false,
});

/** What no person can accept, for it is damage or it is not explained; and an empty snapshot, which one can. */
export const contentRules = (content: Content): ReadonlyArray<GateRefusal> =>
  [
    ofThisCell,
    ofTheSameStore,
    inOrder,
    decodes,
    isWhole,
    isAnswered,
    isExplained,
    isOrdered,
    isComplete,
    isServable,
    isUnambiguous,
    isNotEmpty,
  ].flatMap((rule) => rule(content) ?? []);

const ofThisCell = ({ cell, next }: Content): GateRefusal | undefined =>
  next.cell === cell
    ? undefined
    : never(
        "otherCell",
        `It was generated for ${next.cell}; this is ${cell}.`,
        "Generate it from this cluster's jobs.",
      );

/** Numbers rise; what it was made from is what is in force. */
const inOrder = ({ next, previous }: Content): GateRefusal | undefined => {
  const inForce = previous?.manifest.number ?? 0;
  if (next.previous !== inForce)
    return never(
      "stale",
      `It was made from snapshot ${next.previous}; ${inForce === 0 ? "none" : inForce} is in force.`,
      "Generate it again.",
    );
  return next.number > inForce
    ? undefined
    : never("stale", `Its number ${next.number} is not above ${inForce}.`, "Generate it again.");
};

const decodes = ({ damaged }: Content): GateRefusal | undefined =>
  damaged.length === 0
    ? undefined
    : never(
        "damaged",
        `${damaged.length} segments cannot be read: ${damaged.slice(0, 3).join("; ")}.`,
        "Generate it again.",
      );

/** Revisions of two stores cannot be compared: whoever knows why there is another one has to say so. */
const ofTheSameStore = ({ next, previous }: Content): GateRefusal | undefined =>
  isOtherStore(previous, next)
    ? {
        rule: "storeReplaced",
        message: `The job store was replaced: it was made at ${next.cell}, what is in force comes from that of ${previous!.manifest.cell}.`,
        remedy: `If that is meant: look at the plan, and accept exactly this snapshot. ${nothingIsLost}`,
        jobs: [],
        acceptable: true,
      }
    : undefined;

const isOtherStore = (previous: Snapshot | undefined, next: Manifest): boolean =>
  previous !== undefined && previous.manifest.cell !== next.cell;

/** Its content is what it claims, and what it claims to bring back. */
const isWhole = ({ next, previous, rollbackOf, tally }: Content): GateRefusal | undefined => {
  const { forged, regressed } = tally.faults;
  if (forged > 0 && !isOtherStore(previous, next))
    return never(
      "revisionReused",
      `${forged} jobs have another content at the same revision.`,
      "Look for two job stores behind one cluster.",
      tally.examples("forged"),
    );
  if (next.rollbackOf === undefined) {
    const wentBack = previous === undefined ? 0 : wentBackAt(previous.manifest);
    // Nodes that missed that rollback let what comes after it take them back.
    if (wentBackAt(next) !== wentBack)
      return never(
        "notARollback",
        `It says that the last rollback was ${wentBackAt(next)}; it was ${wentBack === 0 ? "never" : wentBack}.`,
        "Generate it again.",
      );
    if (isOtherStore(previous, next)) return undefined;
    return regressed === 0
      ? undefined
      : never(
          "backInTime",
          `${regressed} jobs would be served at an earlier revision than now, and it is no rollback.`,
          "Use `spillway config rollback` to go back.",
          tally.examples("regressed"),
        );
  }
  return rollbackOf?.manifest.number === next.rollbackOf && contentOf(rollbackOf.manifest) === contentOf(next)
    ? undefined
    : never("notARollback", `It is not the content of snapshot ${next.rollbackOf}.`, "Roll back once more.");
};

const contentOf = ({ catalogue, segments }: Manifest): string =>
  [...segments, catalogue].map(({ hash }) => hash).join();

/** Who gave no answer has not said that it has no such order: it is asked again. */
export const silentRule = "storeSilent";

const isAnswered = ({ silent }: Content): GateRefusal | undefined =>
  silent === undefined
    ? undefined
    : never(
        silentRule,
        `The job store does not say what was ordered: ${silent.detail}.`,
        "It is asked again every few seconds; look at the job store if that goes on.",
        silent.jobs,
      );

const isExplained = ({ rollbackOf, unexplained, unexplainedCount }: Content): GateRefusal | undefined =>
  unexplainedCount === 0 || rollbackOf !== undefined
    ? undefined
    : never(
        "unexplained",
        `${unexplainedCount} jobs would be removed or disabled, and the job store has no revision that orders it.`,
        "This is a fault of what generates the configuration: find it before anything else is changed.",
        unexplained,
      );

/** A generator that makes jobs for everybody is no better than one that makes none. */
const isOrdered = ({ next, previous, unordered, unorderedCount }: Content): GateRefusal | undefined =>
  unorderedCount === 0 || isOtherStore(previous, next)
    ? undefined
    : never(
        "unordered",
        `${unorderedCount} jobs in it, or their settings, are not what the job store has at their revisions.`,
        "This is a fault of what generates the configuration: find it before anything else is changed.",
        unordered,
      );

const isComplete = ({ missing, next }: Content): GateRefusal | undefined =>
  missing === 0
    ? undefined
    : never(
        "incomplete",
        `${missing} changes of the job store up to ${next.position} are not in it, and it says that it has them all.`,
        "This is a fault of what generates the configuration: find it before anything else is changed.",
      );

const isServable = ({ problemCount, problems }: Content): GateRefusal | undefined =>
  problemCount === 0
    ? undefined
    : never(
        "jobProblem",
        `${problemCount} jobs cannot be served: ${problems
          .slice(0, 3)
          .map(({ id, problem }) => `${id}: ${problem}`)
          .join("; ")}.`,
        "Correct or disable these jobs.",
        problems.map(({ id }) => id),
      );

const isUnambiguous = ({ twice }: Content): GateRefusal | undefined =>
  twice.length === 0
    ? undefined
    : never(
        "idTwice",
        `${twice.length} ids would be jobs of two customers at once.`,
        "This is a fault of what generates the configuration: find it before anything else is changed.",
        twice,
      );

const isNotEmpty = ({ next, previous }: Content): GateRefusal | undefined => {
  if (next.totals.enabled > 0 || (previous !== undefined && previous.manifest.totals.enabled === 0)) return undefined;
  return {
    rule: "empty",
    message:
      previous === undefined
        ? "It has no enabled push job, and it would be the first."
        : `It has no enabled push job; ${previous.manifest.totals.enabled} are in force.`,
    remedy: `If nobody is to get any logs: accept exactly this snapshot. ${nothingIsLost}`,
    jobs: [],
    acceptable: true,
  };
};

interface Thresholds {
  readonly next: Manifest;
  readonly previous: Snapshot | undefined;
  readonly limits: GateLimits;
  readonly radius: BlastRadius;
  readonly tally: RadiusTally;
}

/** How much may change at once without a person saying so. */
export const thresholdRules = (facts: Thresholds): ReadonlyArray<GateRefusal> => {
  const { jobs } = facts.radius;
  const { limits, next, previous, tally } = facts;
  const refusals: Array<GateRefusal> = [];
  if (next.totals.jobs > limits.jobsMax)
    refusals.push(
      never(
        "headroom",
        `It has ${next.totals.jobs} jobs; this cluster is made for ${limits.jobsMax} (limits.jobsMax).`,
        "Raise the limit where there is room for it, or remove jobs.",
      ),
    );
  const largest = largestOf(next);
  if (largest > limits.segmentBytesMax)
    refusals.push(
      never(
        "headroom",
        `One of its segments has ${largest} bytes; nodes take ${limits.segmentBytesMax} (limits.segmentBytesMax).`,
        "Raise the limit on every node, or make the jobs of its customers fewer or smaller.",
      ),
    );
  const inForce = previous?.manifest.totals.enabled ?? 0;
  if (inForce === 0) return refusals;
  const over = (
    rule: string,
    what: string,
    count: number,
    of: number,
    percentMax: number,
    ids: ReadonlyArray<string>,
  ) => {
    if (count <= limits.smallChangeJobsMax || count * 100 <= percentMax * of) return;
    refusals.push({
      rule,
      message: `${count} of ${of} jobs ${what}: ${percent(count, of)} %, ${percentMax} % is the limit.`,
      remedy: `If this is meant: accept exactly this snapshot, or change fewer jobs at a time. ${nothingIsLost}`,
      jobs: ids.slice(0, 10),
      acceptable: true,
    });
  };
  over(
    "removed",
    "would be delivered no more",
    tally.stopped,
    inForce,
    limits.removedPercentMax,
    tally.examples("stopped"),
  );
  for (const [dataset, count] of tally.stoppedByDataset) {
    const of = previous?.manifest.datasets[dataset]?.enabled ?? count;
    over(
      "removedOfDataset",
      `of ${dataset} would be delivered no more`,
      count,
      of,
      limits.removedDatasetPercentMax,
      [],
    );
  }
  const added = jobs.added + jobs.enabled + jobs.restored;
  // Measured against what there is still room for: a young cluster may double in a day.
  const room = Math.max(0, limits.jobsMax - (previous?.manifest.totals.jobs ?? 0));
  over(
    "added",
    "that there is room for would be added",
    added,
    room,
    limits.addedPercentMax,
    tally.examples("added", "enabled", "restored"),
  );
  over(
    "redirected",
    "would be delivered somewhere else",
    jobs.redirected,
    inForce,
    limits.redirectedPercentMax,
    tally.examples("redirected"),
  );
  return refusals;
};

const percent = (count: number, of: number): string => ((100 * count) / of).toFixed(1);
