import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Unavailable } from "../failures.ts";
import { AlertsView } from "../alerts-port.ts";
import { DatasetsView } from "../datasets-port.ts";
import { HostsView } from "../hosts-port.ts";
import { LimitsView } from "../limits-port.ts";
import { pageMax } from "../page-query.ts";
import { type ApiUnavailable, NodeView } from "../ports.ts";

export const NodeHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "node",
  Effect.fn(function* (handlers) {
    const view = yield* NodeView;
    const limits = yield* LimitsView;
    const hosts = yield* HostsView;
    const alerts = yield* AlertsView;
    const datasets = yield* DatasetsView;
    return handlers.handleAll({
      books: Effect.fnUntraced(function* ({ query: { after, audit, limit } }) {
        if (audit === "true" && after !== undefined) return yield* auditOnce;
        const report = yield* view.books({ after, limit: limit ?? pageMax }).pipe(Effect.mapError(unavailable));
        if (audit !== "true") return report;
        return { ...report, audit: yield* view.audit.pipe(Effect.mapError(unavailable)) };
      }),
      limits: () => Effect.map(limits.list, (all) => ({ limits: all })),
      hosts: ({ query }) => {
        const most = query.limit ?? 100;
        const found = hosts.list(most + 1);
        return Effect.succeed({ hosts: found.slice(0, most), more: found.length > most });
      },
      datasets: () => Effect.sync(datasets.report),
      alerts: () => Effect.sync(alerts.report),
      version: () => {
        const { natsServer, ...ours } = view.version;
        return Effect.succeed(natsServer === undefined ? ours : { ...ours, natsServer });
      },
    });
  }),
);

/** Each page would read the whole log. */
const auditOnce = Effect.suspend(() =>
  Effect.fail(
    new BadRequest({
      error: { code: "bad_request", message: "audit: comes with the first page: leave it out together with after." },
    }),
  ),
);

export const unavailable = (error: ApiUnavailable) =>
  new Unavailable({ error: { code: "unavailable", message: error.detail } });
