import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { PrometheusMetrics } from "effect/observability";
import { KillSwitches } from "../../actors/ports/kill-switches.ts";
import { switchKinds } from "../../domain/kill-switch.ts";
import { recordBooks } from "../../observability/books-metrics.ts";
import { SpillwayApi } from "../contract.ts";
import { DrillAdmin } from "../drill-port.ts";
import { NotReady } from "../failures.ts";
import { NodeView } from "../ports.ts";

export const HealthHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "health",
  Effect.fn(function* (handlers) {
    const view = yield* NodeView;
    const drill = yield* DrillAdmin;
    const switches = yield* KillSwitches;
    // Scrapers that come in a crowd must not make the node sum its books for each of them.
    const gauges = yield* Effect.cachedWithTTL(
      view.booksInMemory.pipe(Effect.flatMap(recordBooks), Effect.ignore),
      "1 second",
    );

    return handlers.handleAll({
      // Whoever asks may be anybody: how many there are, not whom they stop.
      healthz: () =>
        Effect.map(drill.state, (state) => {
          const current = switches.current();
          const counts = switchKinds.map((kind) => [kind, current.countOf(kind)] as const);
          const killSwitches = Object.fromEntries(counts.filter(([, count]) => count > 0));
          return {
            status: "ok" as const,
            ...(current.all.length === 0 ? {} : { killSwitches }),
            ...(state === undefined ? {} : { drill: true as const, ...state }),
          };
        }),
      readyz: Effect.fnUntraced(function* () {
        const checks = yield* view.readiness;
        const failing = checks.filter((check) => !check.ready);
        if (failing.length === 0) return { ready: true as const, checks };
        const problems = failing.map((check) => `${check.name}: ${check.detail}`);
        return yield* new NotReady({
          ready: false,
          checks,
          error: { code: "not_ready", message: `Not ready: ${problems.join("; ")}`, problems },
        });
      }),
      metrics: () => Effect.andThen(gauges, PrometheusMetrics.format()),
    });
  }),
);
