import { Effect } from "effect";
import { HttpServerRequest } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import type { ConfigStatus } from "../../domain/config-report.ts";
import { AuditTrail } from "../audit-port.ts";
import { accountIn } from "../audited.ts";
import { configHistoryMax } from "../config-contract.ts";
import { type ConfigConflict, ConfigControl, type ConfigInvalid, type SnapshotNotFound } from "../config-port.ts";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict, NotFound } from "../failures.ts";
import type { ApiUnavailable } from "../ports.ts";
import { unavailable } from "./node.ts";

/** Of one entry of the audit log. */
const detailMax = 1_000;

export const ConfigHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "config",
  Effect.fn(function* (handlers) {
    const control = yield* ConfigControl;
    const trail = yield* AuditTrail;
    /** The request's own entries do not hold its body. What cannot be noted is not done. */
    const noted = (what: string, detail: string) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        trail.append({ kind: "request.asked", ...accountIn(request), from: "", what, detail }),
      ).pipe(Effect.catchTags({ ApiUnavailable: unavailable }));
    return handlers.handleAll({
      configStatus: () => control.status.pipe(Effect.catchTags({ ApiUnavailable: unavailable })),
      configPlan: () => control.plan.pipe(Effect.catchTags({ ApiUnavailable: unavailable })),
      configHistory: ({ query }) =>
        control.history(query.limit ?? configHistoryMax).pipe(
          Effect.map((rollouts) => ({ rollouts })),
          Effect.catchTags({ ApiUnavailable: unavailable }),
        ),
      configDiff: ({ query }) =>
        control
          .diff(query.from, query.to)
          .pipe(Effect.catchTags({ ApiUnavailable: unavailable, SnapshotNotFound: notFound })),
      applyConfig: ({ payload: { accept = null, canaryNodes = [], unfreeze = false } }) =>
        Effect.gen(function* () {
          if (accept !== null) yield* noted("accept a blast radius", `snapshot ${accept}`);
          if (unfreeze) yield* noted("unfreeze the configuration", "to roll out what is pending");
          if (canaryNodes.length > 0) yield* noted("name canary nodes", canaryNodes.join(", ").slice(0, detailMax));
          return yield* asked((author) => control.apply({ ...author, accept, canaryNodes, unfreeze }));
        }),
      rollBackConfig: ({ payload: { accept = null, to = null } }) =>
        Effect.andThen(
          noted(
            "roll the configuration back",
            `to ${to ?? "the one before"}${accept === null ? "" : `, accepting ${accept}`}`,
          ),
          asked((author) => control.rollback({ ...author, to, accept })),
        ),
      freezeConfig: () => asked(control.freeze),
      unfreezeConfig: () => asked(control.unfreeze),
      haltConfig: () => asked(control.halt),
      resumeConfig: () => asked(control.resume),
    });
  }),
);

type Author = ReturnType<typeof accountIn>;
type Refusals = ApiUnavailable | ConfigConflict | ConfigInvalid | SnapshotNotFound;

/** Who asks and why is noted with what it does. */
const asked = (change: (author: Author) => Effect.Effect<ConfigStatus, Refusals>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => change(accountIn(request))).pipe(
    Effect.catchTags({
      ApiUnavailable: unavailable,
      ConfigConflict: conflict,
      ConfigInvalid: invalid,
      SnapshotNotFound: notFound,
    }),
  );

const conflict = ({ message }: ConfigConflict) =>
  Effect.fail(new Conflict({ error: { code: "config_conflict", message } }));

const invalid = ({ message }: ConfigInvalid) =>
  Effect.fail(new BadRequest({ error: { code: "invalid_rollout", message } }));

const notFound = ({ number }: SnapshotNotFound) =>
  Effect.fail(
    new NotFound({
      error: {
        code: "snapshot_not_found",
        message: `There is no snapshot ${number} (any more). \`spillway config history\` lists those that were in force.`,
      },
    }),
  );
