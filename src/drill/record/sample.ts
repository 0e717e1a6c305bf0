import { Clock, Effect } from "effect";
import type { LimitReport } from "../../api/reports.ts";
import type { DrillFailure } from "../drill-failure.ts";
import type { ArrivalCounts, OfferCounts } from "../traffic/messages.ts";
import type { DrillWorld } from "../world/drill-world.ts";
import type { Answer, NodeClient } from "../world/node-client.ts";
import { metricSum, readMetrics } from "./metrics-text.ts";

/** How things were at one moment. Counts are since the start of the drill, unless their names say otherwise. */
export interface Sample {
  /** Since the start of the drill. */
  readonly seconds: number;
  readonly phase: string;
  readonly offered: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly requestsRefused: number;
  readonly gaveUp: number;
  readonly unconfigured: number;
  /** Push jobs with an actor in memory, over all nodes. */
  readonly buffers: number;
  /** Highest of all nodes: 0 open, 1 guarded, 2 surging, 3 closed. */
  readonly admission: number;
  /** Records that are stored and not delivered. */
  readonly pending: number;
  readonly unexplained: number;
  /** Alerts that fire now, by name. */
  readonly alerts: ReadonlyArray<string>;
  /** Nodes that did not answer in time. */
  readonly silent: ReadonlyArray<string>;
  readonly isReady: boolean;
  /** Faults that nodes say are armed. */
  readonly armed: ReadonlyArray<string>;
  /** Uses of limits, the highest of all nodes. */
  readonly uses: ReadonlyMap<string, number>;
  /** Metrics of all nodes, summed by series. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** What one node says of itself. */
interface NodeReading {
  readonly metrics: ReadonlyMap<string, number>;
  readonly limits: ReadonlyArray<LimitReport>;
  readonly alerts: ReadonlyArray<string>;
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
  const readings = yield* Effect.forEach(
    world.nodes,
    ({ client, name }) =>
      readNode(client).pipe(
        Effect.timeoutOption(readMillisMax),
        Effect.map((read) => ({ name, read: read._tag === "Some" ? read.value : undefined })),
        Effect.catch(() => Effect.succeed({ name, read: undefined })),
      ),
    { concurrency: 16 },
  );
  const read = readings.flatMap((each) => each.read ?? []);
  const metrics = summed(read.map((each) => each.metrics));
  const uses = highest(read.flatMap(({ limits }) => limits));
  const sample: Sample = {
    seconds: (now - startedMillis) / 1_000,
    phase,
    offered: offered.offered,
    acknowledged: offered.acknowledged,
    delivered: arrived.delivered,
    requestsRefused: offered.requestsRefused,
    gaveUp: offered.gaveUp,
    unconfigured: offered.unconfigured,
    buffers: read.flatMap(({ limits }) => limits).reduce((sum, limit) => sum + buffersOf(limit), 0),
    admission: read.reduce((most, each) => Math.max(most, each.metrics.get("spillway_admission_state") ?? 0), 0),
    pending: metricSum(metrics, "spillway_books_records", 'account="pending"'),
    unexplained: metricSum(metrics, "spillway_books_unexplained_records"),
    alerts: [...new Set(read.flatMap(({ alerts }) => alerts))].toSorted(),
    silent: readings.flatMap((each) => (each.read === undefined ? [each.name] : [])),
    isReady: read.length === readings.length && read.every((each) => each.isReady),
    armed: [...new Set(read.flatMap(({ armed }) => armed))].toSorted(),
    uses,
    metrics,
  };
  return sample;
});

const buffersOf = (limit: LimitReport): number => (limit.name === "residentBuffersMax" ? (limit.usage ?? 0) : 0);

/** Of each path the statuses that are an answer beside 2xx: a node may be unready, or have no alerts yet. */
const paths = [
  ["/metrics", []],
  ["/v1/limits", []],
  ["/healthz", [503]],
  ["/readyz", [503]],
  ["/v1/alerts", [404]],
] as const;

const readNode = ({ ask }: NodeClient): Effect.Effect<NodeReading, DrillFailure> =>
  Effect.gen(function* () {
    const asked = Effect.forEach(paths, ([path, expect]) => ask({ method: "GET", path, expect }), { concurrency: 5 });
    const [metrics, limits, health, ready, alerts] = (yield* asked) as [Answer, Answer, Answer, Answer, Answer];
    return {
      metrics: readMetrics(metrics.text),
      limits: (limits.json as { readonly limits?: ReadonlyArray<LimitReport> } | undefined)?.limits ?? [],
      alerts: alerts.status === 200 ? firing(alerts.json) : [],
      armed: armedIn(health.json),
      isReady: ready.status === 200,
    };
  });

/** Names of the alerts that fire, whichever of them the answer lists beside. */
const firing = (body: unknown): ReadonlyArray<string> => {
  const { alerts } = (body ?? {}) as { readonly alerts?: unknown };
  if (!Array.isArray(alerts)) return [];
  return (alerts as ReadonlyArray<Readonly<Record<string, unknown>>>).flatMap(({ name, rule, state }) => {
    const called = rule ?? name;
    return state === "firing" && typeof called === "string" ? [called] : [];
  });
};

const armedIn = (body: unknown): ReadonlyArray<string> =>
  ((body ?? {}) as { readonly faults?: ReadonlyArray<{ readonly name: string }> }).faults?.map(({ name }) => name) ??
  [];

const summed = (all: ReadonlyArray<ReadonlyMap<string, number>>): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>();
  for (const metrics of all) for (const [series, value] of metrics) sums.set(series, (sums.get(series) ?? 0) + value);
  return sums;
};

const highest = (limits: ReadonlyArray<LimitReport>): ReadonlyMap<string, number> => {
  const most = new Map<string, number>();
  for (const { highWater, name, usage } of limits) {
    const used = Math.max(usage ?? -1, highWater ?? -1);
    if (used >= 0) most.set(name, Math.max(most.get(name) ?? 0, used));
  }
  return most;
};
