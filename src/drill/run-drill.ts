import { Clock, Effect, Random, Schedule, type Scope } from "effect";
import type { LimitReport } from "../api/reports.ts";
import type { GuardName } from "../domain/drill-state.ts";
import type { Drill, Phase, Stage } from "./drill.ts";
import { type DrillFailure, drillFailure } from "./drill-failure.ts";
import { readBooked } from "./record/booked.ts";
import { type Figures, figuresOf, type RunRecord } from "./record/figures.ts";
import { type Sample, takeSample } from "./record/sample.ts";
import { type JudgedBar, judge } from "./record/verdict.ts";
import { customerName, drillDataset } from "./traffic/drill-record.ts";
import { movedPath } from "./traffic/messages.ts";
import { type DrillProducers, type DrillSink, startProducers, startSink } from "./traffic/traffic.ts";
import { armFault, disarmFaults, type DrillJob, type DrillWorld, putJob, switchGuard } from "./world/drill-world.ts";
import { openEmbeddedWorld } from "./world/embedded-world.ts";
import { openTargetWorld } from "./world/target-world.ts";

export interface DrillOptions {
  readonly customers: number;
  /** A running node's data address; undefined: a world of its own. */
  readonly target: string | undefined;
  readonly token: string | undefined;
  readonly guardsOff: ReadonlyArray<GuardName>;
  /** For every phase; undefined: as the drill says. */
  readonly secondsPerPhase: number | undefined;
  /** Where destinations listen and are pushed to. */
  readonly sinkHost: string;
  /** One line of progress. */
  readonly say: (line: string) => Effect.Effect<void>;
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

const sampleMillis = 1_000;
/** How long a request is offered before its records count as lost at the door. */
const offerMillisMax = 5_000;
/** After the producers have stopped, until nothing is pending any more. */
/** A target tries again as its own limits say, an embedded world as the drill does. */
const settleMillisMax = { embedded: 25_000, target: 120_000 };
const settlePollMillis = 500;
const batchSeconds = 1;
/** Destinations share hosts beyond so many; neighbours by number never do. */
const sinkHostsMax = 200;
/** Faults and guards come back by themselves, should the drill die. */
const sureSeconds = 600;

/** Runs a drill once. Everything that it starts ends with it. */
export const runDrill = (drill: Drill, options: DrillOptions): Effect.Effect<DrillRun, DrillFailure> =>
  Effect.scoped(stageDrill(drill, options));

const stageDrill = Effect.fnUntraced(function* (drill: Drill, options: DrillOptions) {
  if (options.target !== undefined && drill.embeddedOnly !== undefined) {
    return yield* drillFailure(`${drill.name} cannot run against a target: ${drill.embeddedOnly}`);
  }
  const run = (yield* Random.nextIntBetween(0x10_0000, 0xff_ffff)).toString(16);
  const customers = Array.from({ length: options.customers }, (_, index) => customerName(run, index));
  const hosts = Math.min(sinkHostsMax, customers.length);
  const sink = yield* startSink({ host: options.sinkHost, hosts, customers });
  const jobs = customers.map((customer, index) => jobOf(customer, sink.origins[index % sink.origins.length]!));
  yield* options.say(`${drill.name}: a world ${options.target === undefined ? "of its own starts" : "that is there"}`);
  const world =
    options.target === undefined
      ? yield* openEmbeddedWorld(drill.plan, jobs)
      : yield* openTargetWorld(options.target, options.token, jobs);
  yield* Effect.forEach(options.guardsOff, (guard) => switchGuard(world, guard, false, sureSeconds), { discard: true });
  const requestMillis = customers.length <= 100 ? 250 : 1_000;
  const producers = yield* startProducers({
    urls: world.nodes.flatMap(({ dataUrl }) => dataUrl ?? []),
    token: options.token,
    run,
    customers,
    ...drill.traffic,
    requestMillis,
    offerMillisMax,
  });
  const played = yield* play(drill, options, { world, sink, producers, customers, jobs });
  return yield* conclude(drill, options, played);
});

const jobOf = (customer: string, origin: string): DrillJob => ({
  id: `${customer}-job`,
  customer,
  dataset: drillDataset,
  destination: { kind: "http", url: `${origin}/${customer}` },
  batch: { maxIntervalSeconds: batchSeconds },
});

/** Written where records go: whoever leads the configuration may be what the drill holds up. */
const moveJob = Effect.fnUntraced(function* ({ jobs, world }: Cast, customer: string) {
  const job = jobs.find((each) => each.customer === customer);
  const node = world.nodes.find(({ dataUrl }) => dataUrl !== undefined);
  if (job === undefined || node === undefined) return;
  const destination = { ...job.destination, url: `${job.destination.url}/${movedPath}` };
  yield* putJob(node.client, { ...job, destination });
});

interface Cast {
  readonly world: DrillWorld;
  readonly sink: DrillSink;
  readonly producers: DrillProducers;
  readonly customers: ReadonlyArray<string>;
  readonly jobs: ReadonlyArray<DrillJob>;
}

interface Played extends Cast {
  readonly faulted: ReadonlyArray<string>;
  readonly samples: Array<Sample>;
  readonly phaseStarts: RunRecord["phaseStarts"];
  readonly startedMillis: number;
  /** One more, outside the rhythm. */
  readonly sample: Effect.Effect<Sample>;
}

/** All phases, one after the other, while everything is recorded. */
const play = Effect.fnUntraced(function* (
  drill: Drill,
  options: DrillOptions,
  cast: Cast,
): Effect.fn.Return<Played, DrillFailure, Scope.Scope> {
  const { customers, producers, sink, world } = cast;
  const startedMillis = yield* Clock.currentTimeMillis;
  const now = { phase: drill.phases[0]?.name ?? "" };
  const samples: Array<Sample> = [];
  const sample = Effect.suspend(() =>
    takeSample(world, startedMillis, now.phase, producers.counts(), sink.counts()),
  ).pipe(Effect.tap((taken) => Effect.sync(() => samples.push(taken))));
  const recording = sample.pipe(
    Effect.tap((taken) => options.say(progressLine(taken, samples.at(-2)))),
    Effect.repeat(Schedule.fixed(sampleMillis)),
  );
  const faulted = drill.faulted(customers);
  const stage: Stage = {
    world,
    customers,
    faulted,
    behave: sink.behave,
    rate: producers.rate,
    strangers: producers.strangers,
    moveJob: (customer) => moveJob(cast, customer),
    arm: (fault) => armFault(world, fault, sureSeconds),
    disarm: disarmFaults(world),
  };
  const phaseStarts: Array<{ readonly name: string; readonly seconds: number }> = [];
  const phases = Effect.forEach(
    drill.phases,
    Effect.fnUntraced(function* (phase: Phase) {
      const fromMillis = yield* Clock.currentTimeMillis;
      now.phase = phase.name;
      phaseStarts.push({ name: phase.name, seconds: (fromMillis - startedMillis) / 1_000 });
      yield* sink.beginPhase({ name: phase.name, fromMillis });
      yield* options.say(`phase ${phase.name}: ${phase.about}`);
      yield* drill.enter(phase, stage);
      yield* Effect.sleep((options.secondsPerPhase ?? phase.seconds) * 1_000);
    }),
    { discard: true },
  );
  yield* Effect.raceFirst(phases, recording);
  return { ...cast, faulted, samples, phaseStarts, startedMillis, sample };
});

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

/** No more records; what is on its way gets its time; then everything is counted. */
const conclude = Effect.fnUntraced(function* (drill: Drill, options: DrillOptions, played: Played) {
  const { customers, faulted, producers, samples, sink, startedMillis, world } = played;
  const stopped = yield* producers.stop;
  yield* options.say("no more records are offered; what is on its way gets its time");
  yield* settled(played);
  yield* played.sample;
  const hurt = new Set(faulted);
  const steady = customers.filter((customer) => !hurt.has(customer));
  const reckoning = yield* sink.reckon(stopped.offered, steady);
  const limits = yield* limitsOf(world);
  const record: RunRecord = {
    drill,
    world: world.kind,
    guardsOff: options.guardsOff,
    steady,
    offered: stopped.offered,
    offerCounts: stopped.counts,
    offeredAt: stopped.offeredAt,
    reckoning,
    samples,
    phaseStarts: played.phaseStarts,
    startedMillis,
    seconds: Math.round((yield* Clock.currentTimeMillis) - startedMillis) / 1_000,
    booked: yield* readBooked(world, customers),
    buffersLimit: limits.find(({ name }) => name === "residentBuffersMax")?.value ?? 0,
    ended: world.ended(),
  };
  const figures = figuresOf(record);
  const evidence = { samples, figures, limits };
  const exercised = drill.exercises.flatMap(({ isReached, limit }) => (isReached(evidence) ? [limit] : []));
  const unmarked = yield* mark(world, drill, exercised);
  const problems = [
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

const limitsOf = Effect.fnUntraced(function* ({ nodes }: DrillWorld) {
  const answers = yield* Effect.forEach(nodes, ({ client }) => client.ask({ method: "GET", path: "/v1/limits" }));
  return answers.flatMap(({ json }) => (json as { readonly limits: ReadonlyArray<LimitReport> }).limits);
});

/** Answers what could not be noted. */
const mark = ({ nodes }: DrillWorld, drill: Drill, limits: ReadonlyArray<string>) =>
  limits.length === 0
    ? Effect.succeed([])
    : nodes[0]!.client.ask({ method: "POST", path: "/v1/drill/marks", json: { drill: drill.name, limits } }).pipe(
        Effect.as([] as ReadonlyArray<string>),
        Effect.catch(({ message }) => Effect.succeed([`the exercised limits could not be noted: ${message}`])),
      );
