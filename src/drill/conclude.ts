import { Clock, Effect, Result } from "effect";
import type { LimitReport } from "../api/reports.ts";
import type { GuardName } from "../domain/drill-state.ts";
import type { Drill } from "./drill.ts";
import type { DrillFailure } from "./drill-failure.ts";
import { readBooked } from "./record/booked.ts";
import { type Figures, figuresOf, type RunRecord } from "./record/figures.ts";
import type { Sample } from "./record/sample.ts";
import { type JudgedBar, judge } from "./record/verdict.ts";
import type { Cast } from "./stage.ts";
import type { DrillWorld } from "./world/drill-world.ts";
import { openNodeClient } from "./world/node-client.ts";

/** All that was recorded while the phases passed. */
export interface Played extends Cast {
  readonly faulted: ReadonlyArray<string>;
  readonly samples: Array<Sample>;
  readonly phaseStarts: RunRecord["phaseStarts"];
  readonly startedMillis: number;
  /** What could not be done as the drill says. */
  readonly problems: ReadonlyArray<string>;
  /** One more, outside the rhythm. */
  readonly sample: Effect.Effect<Sample>;
}

/** One run of a drill, with everything that a report shows. */
export interface DrillRun {
  readonly record: RunRecord;
  readonly figures: Figures;
  readonly bars: ReadonlyArray<JudgedBar>;
  /** Limits that were seen to do their work. */
  readonly exercised: ReadonlyArray<string>;
  /** What went wrong beside, for people. */
  readonly problems: ReadonlyArray<string>;
}

/** A node that keeps what a drill has shown, beside the one that it was shown on. */
export interface MarkAt {
  readonly url: string;
  readonly token: string | undefined;
}

export interface Concluding {
  readonly guardsOff: ReadonlyArray<GuardName>;
  readonly markAt: MarkAt | undefined;
  readonly say: (line: string) => Effect.Effect<void>;
}

/**
 * After the producers have stopped, until nothing is pending any more. A target tries again as its own limits say, an
 * embedded world as the drill does.
 */
const settleMillisMax = { embedded: 25_000, target: 120_000 };
const settlePollMillis = 500;

/**
 * No more records; what is on its way gets its time; then everything is counted. A node that says nothing any more is
 * part of what the drill has shown: what it was asked for is missing, and bars that need it are missed.
 */
export const conclude = Effect.fnUntraced(function* (drill: Drill, concluding: Concluding, played: Played) {
  const { customers, faulted, producers, samples, sink, startedMillis, world } = played;
  const stopped = yield* producers.stop;
  yield* concluding.say("no more records are offered; what is on its way gets its time");
  yield* settled(played);
  yield* played.sample;
  const hurt = new Set(faulted);
  const steady = customers.filter((customer) => !hurt.has(customer));
  const reckoning = yield* sink.reckon(stopped.offered, steady);
  const limits = yield* Effect.result(limitsOf(world));
  const booked = yield* Effect.result(readBooked(world, customers));
  const told = Result.isSuccess(limits) ? limits.success : [];
  const record: RunRecord = {
    drill,
    world: world.kind,
    guardsOff: concluding.guardsOff,
    steady,
    offered: stopped.offered,
    offerCounts: stopped.counts,
    offeredAt: stopped.offeredAt,
    reckoning,
    samples,
    phaseStarts: played.phaseStarts,
    startedMillis,
    seconds: Math.round((yield* Clock.currentTimeMillis) - startedMillis) / 1_000,
    booked: Result.isSuccess(booked) ? booked.success : undefined,
    buffersLimit: told.find(({ name }) => name === "residentBuffersMax")?.value ?? 0,
    ended: world.ended(),
  };
  const figures = figuresOf(record);
  const evidence = { samples, figures, limits: told };
  const exercised = drill.exercises.flatMap(({ isReached, limit }) => (isReached(evidence) ? [limit] : []));
  const unmarked = yield* mark(world, drill, exercised, concluding.markAt);
  const problems = [
    ...played.problems,
    ...[...failureOf(limits), ...failureOf(booked)].map(({ message }) => `not told at the end: ${message}`),
    ...stopped.problems.map((text) => `a request was refused for good: ${text}`),
    ...unmarked,
    ...record.ended,
  ];
  const concluded: DrillRun = { record, figures, bars: judge(drill, figures), exercised, problems };
  return concluded;
});

/**
 * Until nothing is pending and nothing more comes, twice in a row: what was stored a moment ago is not in the books
 * yet. What producers gave up may have been stored all the same, so that their counts say nothing of the end.
 */
const settled = Effect.fnUntraced(function* ({ sample, sink, world }: Played) {
  const deadline = (yield* Clock.currentTimeMillis) + settleMillisMax[world.kind];
  let quiet = 0;
  let delivered = -1;
  while (quiet < 2 && (yield* Clock.currentTimeMillis) < deadline) {
    const { pending, silent } = yield* sample;
    const now = sink.counts().delivered;
    quiet = pending === 0 && silent.length === 0 && now === delivered ? quiet + 1 : 0;
    delivered = now;
    yield* Effect.sleep(settlePollMillis);
  }
});

const failureOf = <A>(told: Result.Result<A, DrillFailure>): ReadonlyArray<DrillFailure> =>
  Result.isFailure(told) ? [told.failure] : [];

const limitsOf = Effect.fnUntraced(function* ({ nodes }: DrillWorld) {
  const answers = yield* Effect.forEach(nodes, ({ client }) => client.ask({ method: "GET", path: "/v1/limits" }));
  return answers.flatMap(({ json }) => (json as { readonly limits: ReadonlyArray<LimitReport> }).limits);
});

/** Answers what could not be noted. A world of the drill's own takes its notes with it: hence the other node. */
const mark = Effect.fnUntraced(function* (
  { nodes }: DrillWorld,
  drill: Drill,
  limits: ReadonlyArray<string>,
  markAt: MarkAt | undefined,
) {
  if (limits.length === 0) return [];
  const beside = markAt === undefined ? [] : [yield* openNodeClient(markAt.url, markAt.token)];
  const json = { drill: drill.name, limits };
  const noted = yield* Effect.forEach([nodes[0]!.client, ...beside], ({ ask }) =>
    Effect.result(ask({ method: "POST", path: "/v1/drill/marks", json })),
  );
  return noted.flatMap(failureOf).map(({ message }) => `the exercised limits could not be noted: ${message}`);
}, Effect.scoped);
