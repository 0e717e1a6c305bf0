import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { Unavailable } from "../failures.ts";
import { HostsView } from "../hosts-port.ts";
import { LimitsView } from "../limits-port.ts";
import { type ApiUnavailable, NodeView } from "../ports.ts";

export const NodeHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "node",
  Effect.fn(function* (handlers) {
    const view = yield* NodeView;
    const limits = yield* LimitsView;
    const hosts = yield* HostsView;
    return handlers.handleAll({
      books: Effect.fnUntraced(function* ({ query }) {
        const report = yield* view.books;
        return query.audit === "true" ? { ...report, audit: yield* view.audit } : report;
      }, Effect.mapError(unavailable)),
      limits: () => Effect.map(limits.list, (all) => ({ limits: all })),
      hosts: ({ query }) => {
        const most = query.limit ?? 100;
        const found = hosts.list(most + 1);
        return Effect.succeed({ hosts: found.slice(0, most), more: found.length > most });
      },
      version: () => {
        const { natsServer, ...ours } = view.version;
        return Effect.succeed(natsServer === undefined ? ours : { ...ours, natsServer });
      },
    });
  }),
);

export const unavailable = (error: ApiUnavailable) =>
  new Unavailable({ error: { code: "unavailable", message: error.detail } });
