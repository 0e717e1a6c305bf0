import { DateTime, Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { nameOfSwitch } from "../../domain/kill-switch.ts";
import { AuditTrail } from "../audit-port.ts";
import { accountIn } from "../audited.ts";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict, NotFound } from "../failures.ts";
import type { SwitchAnswer } from "../switch-reports.ts";
import { type SwitchAccount, type SwitchRefused, SwitchesAdmin } from "../switches-port.ts";
import { unavailable } from "./node.ts";

const refused = ({ code, detail, kind }: SwitchRefused) => {
  const error = { code, message: detail };
  return kind === "invalid" ? Effect.fail(new BadRequest({ error })) : Effect.fail(new Conflict({ error }));
};

const notRemoved = ({ code, detail, kind }: SwitchRefused) => {
  const error = { code, message: detail };
  return kind === "notFound" ? Effect.fail(new NotFound({ error })) : Effect.fail(new Conflict({ error }));
};

export const SwitchesHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "switches",
  Effect.fn(function* (handlers) {
    const admin = yield* SwitchesAdmin;
    const trail = yield* AuditTrail;
    /** The request's own entries do not hold its body: what was stopped is in this one. */
    const note = (account: SwitchAccount, { dryRun, switch: { stops, untilMillis, ...about } }: SwitchAnswer) => {
      const until = untilMillis === undefined ? "" : ` until ${DateTime.formatIso(DateTime.makeUnsafe(untilMillis))}`;
      const entry = { ...account, from: "", what: `kill switch for ${nameOfSwitch(about)}` };
      return dryRun
        ? Effect.void
        : trail.append({ kind: "request.answered", ...entry, detail: `stops ${stops}${until}` }).pipe(Effect.ignore);
    };
    return handlers.handleAll({
      listSwitches: () => Effect.map(admin.list, (switches) => ({ switches })),
      addSwitch: ({ payload, query, request }) =>
        admin.add(payload, accountIn(request), query.dryRun === "true").pipe(
          Effect.tap((answer) => note(accountIn(request), answer)),
          Effect.catchTags({ SwitchRefused: refused, ApiUnavailable: unavailable }),
        ),
      removeSwitch: ({ params, request }) =>
        admin
          .remove(params.id, accountIn(request))
          .pipe(Effect.catchTags({ SwitchRefused: notRemoved, ApiUnavailable: unavailable })),
    });
  }),
);
