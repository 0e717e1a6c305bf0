import { Clock, Effect, Option } from "effect";
import type { AlertReport } from "../../api/alert-reports.ts";
import type { LimitReport } from "../../api/reports.ts";
import type { ArrivalCounts, OfferCounts } from "../traffic/messages.ts";
import type { DrillNode, DrillWorld } from "../world/drill-world.ts";
import type { Answer } from "../world/node-client.ts";
import { metricSum, readMetrics } from "./metrics-text.ts";

/** How things were at one moment. Counts are since the start of the drill, unless their names say otherwise. */
export interface Sample {
  /** Since the start of the drill, when it began to be asked. */
  readonly seconds: number;
  /** When all of it was known: not before has the system said anything. */
  readonly toldSeconds: number;
  readonly phase: string;
  readonly offered: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly requestsRefused: number;
  readonly gaveUp: number;
  readonly unconfigured: number;
  /** Push jobs with an actor in memory, over all nodes; null: not every node told. */
  readonly buffers: number | null;
  /** Highest of all nodes: 0 open, 1 guarded, 2 surging, 3 closed. */
  readonly admission: number;
  /** Records that are stored and not delivered. */
  readonly pending: number;
  readonly unexplained: number;
  /** Alerts that fire now, by name. */
  readonly alerts: ReadonlyArray<string>;
  /** The same with their labels: `configRefused{rule="empty"}`. */
  readonly firing: ReadonlyArray<string>;
  /** Nodes that did not answer in time. */
  readonly silent: ReadonlyArray<string>;
  readonly isReady: boolean;
  /** Faults that nodes say are armed. */
  readonly armed: ReadonlyArray<string>;
  /** Uses of limits, the highest of all nodes. */
  readonly uses: ReadonlyMap<string, number>;
  /** The highest uses since the nodes' start, between samples as well. */
  readonly highWaters: ReadonlyMap<string, number>;
  /** Metrics of all nodes, summed by series. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** What one node says of itself; what did not answer in time is undefined. */
interface NodeReading {
  readonly name: string;
  readonly metrics: ReadonlyMap<string, number> | undefined;
  readonly limits: ReadonlyArray<LimitReport> | undefined;
  readonly firing: ReadonlyArray<string>;
  readonly armed: ReadonlyArray<string>;
  readonly isReady: boolean;
}

const readMillisMax = 900;

/** Asks every node; one that does not answer is noted, and is no failure: it may be what the drill is about. */
export const takeSample = Effect.fn("drill.takeSample")(function* (
  world: DrillWorld,
  startedMillis: number,
  phase: string,
  offered: OfferCounts,
  arrived: ArrivalCounts,
) {
  const now = yield* Clock.currentTimeMillis;
  const read = yield* Effect.forEach(world.nodes, readNode, { concurrency: 16 });
  const told = yield* Clock.currentTimeMillis;
  const metrics = summed(read.flatMap((each) => each.metrics ?? []));
  const limits = read.flatMap((each) => each.limits ?? []);
  const firing = [...new Set(read.flatMap((each) => each.firing))].toSorted();
  const states = read.map((each) => each.metrics?.get("spillway_admission_state") ?? 0);
  const sample: Sample = {
    seconds: (now - startedMillis) / 1_000,
    toldSeconds: (told - startedMillis) / 1_000,
    phase,
    offered: offered.offered,
    acknowledged: offered.acknowledged,
    delivered: arrived.delivered,
    requestsRefused: offered.requestsRefused,
    gaveUp: offered.gaveUp,
    unconfigured: offered.unconfigured,
    buffers: read.every((each) => each.limits !== undefined) ? residents(limits) : null,
    admission: states.reduce((most, state) => Math.max(most, state), 0),
    pending: metricSum(metrics, "spillway_books_records", 'account="pending"'),
    unexplained: metricSum(metrics, "spillway_books_unexplained_records"),
    alerts: [...new Set(firing.map(ruleOf))].toSorted(),
    firing,
    silent: read.flatMap((each) => (each.metrics === undefined ? [each.name] : [])),
    isReady: read.every((each) => each.isReady),
    armed: [...new Set(read.flatMap(({ armed }) => armed))].toSorted(),
    uses: highest(limits, ({ usage }) => usage),
    highWaters: highest(limits, ({ highWater }) => highWater),
    metrics,
  };
  return sample;
});

const residents = (limits: ReadonlyArray<LimitReport>): number =>
  limits.reduce((sum, { name, usage }) => sum + (name === "residentBuffersMax" ? (usage ?? 0) : 0), 0);

/** Each path by itself: without NATS one of them may be late, and the others are the more worth knowing. */
const readNode = Effect.fnUntraced(function* ({ client, name }: DrillNode) {
  /** Of each path the statuses that are an answer beside 2xx: a node may be unready, or have no alerts. */
  const get = (path: string, expect: ReadonlyArray<number> = []) =>
    client.ask({ method: "GET", path, expect }).pipe(Effect.timeout(readMillisMax), Effect.option);
  const [metrics, limits, health, ready, alerts] = yield* Effect.all(
    [get("/metrics"), get("/v1/limits"), get("/healthz", [503]), get("/readyz", [503]), get("/v1/alerts", [404])],
    { concurrency: 5 },
  );
  const reading: NodeReading = {
    name,
    metrics: Option.isSome(metrics) ? readMetrics(metrics.value.text) : undefined,
    limits: (json(limits) as { readonly limits?: ReadonlyArray<LimitReport> } | undefined)?.limits,
    firing: firingIn(json(alerts)),
    armed: armedIn(json(health)),
    isReady: Option.isSome(ready) && ready.value.status === 200,
  };
  return reading;
});

const json = (answer: Option.Option<Answer>): unknown => Option.getOrUndefined(answer)?.json;

/** The alerts that fire, whichever of them the answer lists beside. */
const firingIn = (body: unknown): ReadonlyArray<string> => {
  const { alerts } = (body ?? {}) as { readonly alerts?: unknown };
  if (!Array.isArray(alerts)) return [];
  return (alerts as ReadonlyArray<AlertReport>).flatMap(({ labels, rule, state }) =>
    state === "firing" ? [keyOf(rule, labels)] : [],
  );
};

/** `configRefused{rule="empty"}` is of the rule `configRefused`. */
export const ruleOf = (key: string): string => key.split("{", 1)[0]!;

const keyOf = (rule: string, labels: AlertReport["labels"]): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? rule : `${rule}{${pairs.toSorted().join(",")}}`;
};

const armedIn = (body: unknown): ReadonlyArray<string> =>
  ((body ?? {}) as { readonly faults?: ReadonlyArray<{ readonly name: string }> }).faults?.map(({ name }) => name) ??
  [];

const summed = (all: ReadonlyArray<ReadonlyMap<string, number>>): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>();
  for (const metrics of all) for (const [series, value] of metrics) sums.set(series, (sums.get(series) ?? 0) + value);
  return sums;
};

const highest = (
  limits: ReadonlyArray<LimitReport>,
  of: (limit: LimitReport) => number | null | undefined,
): ReadonlyMap<string, number> => {
  const most = new Map<string, number>();
  for (const limit of limits) {
    const value = of(limit);
    if (value != null) most.set(limit.name, Math.max(most.get(limit.name) ?? 0, value));
  }
  return most;
};

/** The highest use of a limit in all samples. What was higher before the first of them is not of this drill. */
export const usedMost = (samples: ReadonlyArray<Sample>, name: string): number => {
  const before = samples[0]?.highWaters.get(name) ?? 0;
  return samples.reduce((most, { highWaters, uses }) => {
    const highWater = highWaters.get(name) ?? 0;
    return Math.max(most, uses.get(name) ?? 0, highWater > before ? highWater : 0);
  }, 0);
};
