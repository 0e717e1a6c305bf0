import { Clock, Config, Context, Effect, Layer, Metric, Random, type Scope } from "effect";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { hostsOf, placesOf, pushesWaiting, pushFairness } from "../../observability/host-metrics.ts";
import { fairnessIndex } from "./competition.ts";
import type { HostReport } from "./host.ts";
import { PushScheduler } from "./push-scheduler.ts";
import type { PlaceRequest, PushTicket } from "./ticket.ts";
import { steadyMillis, steadyMillisOf } from "../../domain/steady-clock.ts";

export interface DestinationHostsOptions {
  readonly pushesInFlightMax: number;
  readonly slowPushesInFlightMax: number;
  readonly pushSlowMillis: number;
  readonly pushesPerHostMax: number;
  readonly pushesPerHostFirst: number;
  readonly circuitFailuresMax: number;
  readonly circuitOpenMillisFirst: number;
  readonly circuitOpenMillisMax: number;
}

/** What pushes share: the node's places, and each destination host's window, circuit and pauses. */
export class DestinationHosts extends Context.Service<
  DestinationHosts,
  {
    /** Calls `begin` of the request once there is a place, or `refuse`; perhaps before it returns. */
    readonly enter: (request: PlaceRequest) => PushTicket;
    /** Once for every push that began. @param outcome undefined: it was interrupted and says nothing */
    readonly leave: (ticket: PushTicket, outcome: PushOutcome | undefined) => void;
    /** A push that still waits no longer wants its place. */
    readonly cancel: (ticket: PushTicket) => void;
    /** At most so many, those in trouble first; times in epoch millis. */
    readonly hosts: (hostsMax: number) => ReadonlyArray<HostReport>;
  }
>()("spillway/actors/destination-host/DestinationHosts") {
  static readonly layer = (options: DestinationHostsOptions): Layer.Layer<DestinationHosts> =>
    Layer.effect(DestinationHosts, makeDestinationHosts(options));
}

const metricsMillis = 1_000;
/** Metrics turns per window of the fairness index. */
const fairnessTurns = 10;

/** For the fairness benchmark alone: pushes begin in the order in which they were asked for. */
const benchOrder = Config.Literals(["fair", "fifo"], "SPILLWAY_BENCH_PUSH_ORDER").pipe(Config.withDefault("fair"));

const makeDestinationHosts = (
  options: DestinationHostsOptions,
): Effect.Effect<DestinationHosts["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock;
    const random = yield* Random.Random;
    const scope = yield* Effect.scope;
    const runFork = Effect.runForkWith(yield* Effect.context());
    const order = yield* Effect.orDie(benchOrder);
    if (order === "fifo") yield* Effect.logWarning("Pushes are not shared fairly: SPILLWAY_BENCH_PUSH_ORDER is set.");
    const scheduler = new PushScheduler(
      {
        ...options,
        circuit: {
          failuresMax: options.circuitFailuresMax,
          openMillisFirst: options.circuitOpenMillisFirst,
          openMillisMax: options.circuitOpenMillisMax,
        },
        order,
      },
      {
        // A circuit or a pause must not last an hour longer because somebody sets the clock.
        nowMillis: () => steadyMillisOf(clock),
        jitter: () => random.nextDoubleUnsafe(),
        after: (millis, run) => {
          const fiber = runFork(Effect.forkIn(Effect.andThen(Effect.sleep(millis), Effect.sync(run)), scope));
          return () => fiber.interruptUnsafe();
        },
      },
    );
    yield* Effect.forkScoped(keepMetrics(scheduler));
    return DestinationHosts.of({
      enter: (request) => scheduler.enter(request),
      leave: (ticket, outcome) => scheduler.leave(ticket, outcome),
      cancel: (ticket) => scheduler.cancel(ticket),
      hosts: (hostsMax) => {
        const aheadMillis = clock.currentTimeMillisUnsafe() - steadyMillisOf(clock);
        return scheduler.report(hostsMax).map((report) => byTheWall(report, aheadMillis));
      },
    });
  });

/** For people: epoch millis. */
const byTheWall = (report: HostReport, aheadMillis: number): HostReport => ({
  ...report,
  notBeforeMillis: report.notBeforeMillis === 0 ? 0 : Math.round(report.notBeforeMillis + aheadMillis),
  evidence:
    report.evidence === null ? null : { ...report.evidence, millis: Math.round(report.evidence.millis + aheadMillis) },
});

const keepMetrics = Effect.fnUntraced(function* (scheduler: PushScheduler) {
  let sinceMillis = yield* steadyMillis;
  for (let turn = 1; ; turn = (turn + 1) % fairnessTurns) {
    yield* Effect.sleep(metricsMillis);
    const nowMillis = yield* steadyMillis;
    const circuits = { closed: 0, open: 0, halfOpen: 0 };
    for (const host of scheduler.known.values()) circuits[host.circuitState] += 1;
    yield* Metric.update(placesOf.fast, scheduler.inUse("fast"));
    yield* Metric.update(placesOf.slow, scheduler.inUse("slow"));
    yield* Metric.update(pushesWaiting, scheduler.waiting);
    yield* Metric.update(hostsOf.closed, circuits.closed);
    yield* Metric.update(hostsOf.open, circuits.open);
    yield* Metric.update(hostsOf.halfOpen, circuits.halfOpen);
    if (turn !== 0) continue;
    yield* Metric.update(pushFairness, fairnessIndex(scheduler.known, sinceMillis, nowMillis));
    sinceMillis = nowMillis;
  }
});
