import { Clock, Effect, Random, Schedule, type Scope } from "effect";
import type { GuardName } from "../domain/drill-state.ts";
import { conclude, type DrillRun, type MarkAt, type Played } from "./conclude.ts";
import type { Drill, Phase } from "./drill.ts";
import { type DrillFailure, drillFailure } from "./drill-failure.ts";
import { type Sample, takeSample } from "./record/sample.ts";
import { type Cast, jobOf, stageOf, sureSeconds } from "./stage.ts";
import { customerName } from "./traffic/drill-record.ts";
import { startProducers, startSink } from "./traffic/traffic.ts";
import { switchGuard } from "./world/drill-world.ts";
import { openEmbeddedWorld } from "./world/embedded-world.ts";
import { openTargetWorld } from "./world/target-world.ts";

export interface DrillOptions {
  readonly customers: number;
  /** Addresses of running nodes, the first of which is asked how things are; none: a world of its own. */
  readonly targets: ReadonlyArray<string>;
  readonly token: string | undefined;
  readonly guardsOff: ReadonlyArray<GuardName>;
  /** For every phase; undefined: as the drill says. */
  readonly secondsPerPhase: number | undefined;
  /** No phase is longer, where nothing else is said. */
  readonly secondsPerPhaseMax?: number;
  /** Where destinations listen and are pushed to. */
  readonly sinkHost: string;
  /** Where the exercised limits are noted as well; undefined: nowhere else. */
  readonly markAt: MarkAt | undefined;
  /** One line of progress. */
  readonly say: (line: string) => Effect.Effect<void>;
}

const sampleMillis = 1_000;
/** How long a request is offered before its records count as lost at the door. */
const offerMillisMax = 5_000;
/** Destinations share hosts beyond so many; neighbours by number never do. */
const sinkHostsMax = 200;
/** Before the baseline is measured: nodes that have just started are slow, and a slow baseline flatters. */
const warmUpSeconds = 3;

/** Runs a drill once. Everything that it starts ends with it. */
export const runDrill = (drill: Drill, options: DrillOptions): Effect.Effect<DrillRun, DrillFailure> =>
  Effect.scoped(stageDrill(drill, options));

const stageDrill = Effect.fnUntraced(function* (drill: Drill, options: DrillOptions) {
  const { targets, token } = options;
  if (targets.length > 0 && drill.embeddedOnly !== undefined) {
    return yield* drillFailure(`${drill.name} cannot run against a target: ${drill.embeddedOnly}`);
  }
  const run = (yield* Random.nextIntBetween(0x10_0000, 0xff_ffff)).toString(16);
  const customers = Array.from({ length: options.customers }, (_, index) => customerName(run, index));
  const hosts = Math.min(sinkHostsMax, customers.length);
  const sink = yield* startSink({ host: options.sinkHost, hosts, customers });
  const jobs = customers.map((customer, index) => jobOf(customer, sink.origins[index % sink.origins.length]!));
  yield* options.say(`${drill.name}: a world ${targets.length === 0 ? "of its own starts" : "that is there"}`);
  const world =
    targets.length === 0
      ? yield* openEmbeddedWorld(drill.plan(customers.length), jobs)
      : yield* openTargetWorld(targets, token, jobs, options.say);
  yield* Effect.forEach(options.guardsOff, (guard) => switchGuard(world, guard, false, sureSeconds), { discard: true });
  const requestMillis = customers.length <= 100 ? 250 : 1_000;
  const producers = yield* startProducers({
    urls: world.nodes.flatMap(({ dataUrl }) => dataUrl ?? []),
    token,
    run,
    customers,
    ...drill.traffic,
    requestMillis,
    offerMillisMax,
  });
  const played = yield* play(drill, options, { run, world, sink, producers, customers, jobs });
  return yield* conclude(drill, options, played);
});

/** All phases, one after the other, while everything is recorded. */
const play = Effect.fnUntraced(function* (
  drill: Drill,
  options: DrillOptions,
  cast: Cast,
): Effect.fn.Return<Played, DrillFailure, Scope.Scope> {
  const { customers, producers, sink, world } = cast;
  const startedMillis = yield* Clock.currentTimeMillis;
  const now = { phase: warmUp };
  const samples: Array<Sample> = [];
  const sample = Effect.suspend(() =>
    takeSample(world, startedMillis, now.phase, producers.counts(), sink.counts()),
  ).pipe(Effect.tap((taken) => Effect.sync(() => samples.push(taken))));
  const recording = sample.pipe(
    Effect.tap((taken) => options.say(progressLine(taken, samples.at(-2)))),
    Effect.repeat(Schedule.fixed(sampleMillis)),
  );
  const faulted = drill.faulted(customers);
  const stage = stageOf(cast, faulted);
  const problems: Array<string> = [];
  const phaseStarts: Array<{ readonly name: string; readonly seconds: number }> = [];
  const begin = Effect.fnUntraced(function* (name: string) {
    const fromMillis = yield* Clock.currentTimeMillis;
    now.phase = name;
    phaseStarts.push({ name, seconds: (fromMillis - startedMillis) / 1_000 });
    yield* sink.beginPhase({ name, fromMillis });
  });
  // What a node refuses to have done to it is part of the picture: it may be dead, and the figures say so.
  const enter = (phase: Phase) =>
    drill.enter(phase, stage).pipe(
      Effect.catch(({ message }) => {
        problems.push(`${phase.name}: ${message}`);
        return options.say(`! ${message}`);
      }),
    );
  const [first, ...others] = drill.phases;
  const { secondsPerPhase, secondsPerPhaseMax = Number.POSITIVE_INFINITY } = options;
  const last = (phase: Phase) => Effect.sleep((secondsPerPhase ?? Math.min(phase.seconds, secondsPerPhaseMax)) * 1_000);
  const phases = Effect.gen(function* () {
    if (first === undefined) return;
    yield* begin(warmUp);
    yield* enter(first);
    yield* Effect.sleep(warmUpSeconds * 1_000);
    yield* begin(first.name);
    yield* options.say(`phase ${first.name}: ${first.about}`);
    yield* last(first);
    for (const phase of others) {
      yield* begin(phase.name);
      yield* options.say(`phase ${phase.name}: ${phase.about}`);
      yield* enter(phase);
      yield* last(phase);
    }
  });
  yield* Effect.raceFirst(phases, recording);
  return { ...cast, faulted, samples, phaseStarts, startedMillis, problems, sample };
});

/** Is in none of a drill's own phases. */
const warmUp = "warm-up";

const progressLine = (taken: Sample, before: Sample | undefined): string => {
  const seconds = Math.max(0.001, taken.seconds - (before?.seconds ?? 0));
  const rate = (of: (sample: Sample) => number) =>
    Math.round((of(taken) - (before === undefined ? 0 : of(before))) / seconds);
  const parts = [
    `${taken.seconds.toFixed(0).padStart(3)} s ${taken.phase}`,
    `offered ${rate(({ offered }) => offered)}/s`,
    `delivered ${rate(({ delivered }) => delivered)}/s`,
    `pending ${taken.pending}`,
    `buffers ${taken.buffers ?? "?"}`,
    ...(taken.gaveUp > 0 ? [`given up ${taken.gaveUp}`] : []),
    ...(taken.silent.length > 0 ? [`silent ${taken.silent.join(", ")}`] : []),
    ...(taken.alerts.length > 0 ? [`alerts ${taken.alerts.join(", ")}`] : []),
  ];
  return parts.join("  ");
};
