import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { auditPageMax } from "../audit-contract.ts";
import { AuditTrail } from "../audit-port.ts";
import { SpillwayApi } from "../contract.ts";
import { unavailable } from "./node.ts";

export const AuditHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "audit",
  Effect.fn(function* (handlers) {
    const trail = yield* AuditTrail;
    return handlers.handleAll({
      listAudit: ({ query }) =>
        trail.list(query.after, query.limit ?? auditPageMax).pipe(Effect.catchTags({ ApiUnavailable: unavailable })),
      verifyAudit: ({ query }) => trail.verify(query.head).pipe(Effect.catchTags({ ApiUnavailable: unavailable })),
    });
  }),
);
