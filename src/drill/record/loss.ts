import type { Drill } from "../drill.ts";
import type { RunRecord } from "./figures.ts";
import { rounded } from "./rounded.ts";

/** Records that were offered in one phase, and of them those that never came. */
export interface PhaseLoss {
  readonly phase: string;
  readonly seconds: number;
  readonly offered: number;
  readonly lost: number;
  readonly percent: number;
}

/** Seconds since the start, and how many of the records offered in that second never came. */
export type LossAt = readonly [seconds: number, lost: number, offered: number];

/** Undefined: a time that is in none of the drill's phases, as its warm-up. */
export const kindOf = ({ phases }: Drill, name: string) => phases.find((phase) => phase.name === name)?.kind;

export const recoveryStart = ({ drill, phaseStarts }: RunRecord): number | undefined =>
  phaseStarts.find(({ name }) => kindOf(drill, name) === "recovery")?.seconds;

/** By the second in which the records were offered. */
export const lossOf = ({ offeredAt, reckoning, startedMillis }: RunRecord): ReadonlyArray<LossAt> =>
  [...offeredAt]
    .toSorted(([a], [b]) => a - b)
    .map(([second, offered]) => [
      Math.max(0, second - startedMillis / 1_000),
      Math.max(0, offered - (reckoning.deliveredAt.get(second) ?? 0)),
      offered,
    ]);

export const lostByPhase = (run: RunRecord): ReadonlyArray<PhaseLoss> => {
  const loss = lossOf(run);
  return run.phaseStarts.map(({ name, seconds: from }, at) => {
    const to = run.phaseStarts[at + 1]?.seconds ?? Number.POSITIVE_INFINITY;
    const within = loss.filter(([seconds]) => seconds >= from && seconds < to);
    const offered = within.reduce((sum, [, , each]) => sum + each, 0);
    const lost = within.reduce((sum, [, each]) => sum + each, 0);
    return {
      phase: name,
      seconds: rounded((Number.isFinite(to) ? to : run.seconds) - from),
      offered,
      lost,
      percent: offered === 0 ? 0 : rounded((100 * lost) / offered),
    };
  });
};

/** Losses that go on until producers have stopped are no recovery. */
export const recoverSeconds = (run: RunRecord): number | null => {
  const endOfFault = recoveryStart(run);
  if (endOfFault === undefined) return null;
  const { drill, reckoning, samples, startedMillis } = run;
  const arrivals = reckoning.lags.flatMap(({ lastArrivalMillis, phase }) =>
    kindOf(drill, phase) !== "recovery" && lastArrivalMillis !== null ? [lastArrivalMillis] : [],
  );
  const loss = lossOf(run);
  const lastOffered = loss.at(-1)?.[0] ?? 0;
  const lastLost = loss.findLast(([, lost]) => lost > 0)?.[0];
  const isNothing = arrivals.length === 0 && loss.some(([, lost]) => lost > 0);
  if (isNothing || (lastLost !== undefined && lastLost >= lastOffered && lastLost >= endOfFault)) return null;
  const tooMany = samples.findLast(({ uses }) => (uses.get("residentBuffersMax") ?? 0) > run.buffersLimit)?.seconds;
  if (tooMany !== undefined && tooMany === samples.at(-1)?.seconds) return null;
  const ends = [
    ...arrivals.map((millis) => (millis - startedMillis) / 1_000),
    // The second that begins there is over.
    ...(lastLost === undefined ? [] : [lastLost + 1]),
    ...(tooMany === undefined ? [] : [tooMany]),
  ];
  return rounded(Math.max(0, ends.reduce((latest, each) => Math.max(latest, each), 0) - endOfFault));
};
