import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { Forbidden, secondsOr } from "../drill-contract.ts";
import { DrillAdmin, type UnknownLimit } from "../drill-port.ts";
import { BadRequest } from "../failures.ts";
import { unavailable } from "./node.ts";

export const DrillHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "drill",
  Effect.fn(function* (handlers) {
    const drill = yield* DrillAdmin;
    return handlers.handleAll({
      drillState: () =>
        Effect.flatMap(drill.state, (state) => (state === undefined ? notInDrill() : Effect.succeed(state))),
      armFault: ({ payload }) =>
        drill.arm(payload.name, secondsOr(payload.seconds)).pipe(Effect.catchTags({ NotInDrill: notInDrill })),
      disarmFaults: () => drill.disarm(undefined).pipe(Effect.catchTags({ NotInDrill: notInDrill })),
      disarmFault: ({ params }) => drill.disarm(params.name).pipe(Effect.catchTags({ NotInDrill: notInDrill })),
      switchGuard: ({ payload: { name, on, seconds } }) =>
        drill.switchGuard(name, on, secondsOr(seconds)).pipe(Effect.catchTags({ NotInDrill: notInDrill })),
      markExercised: ({ payload }) =>
        drill
          .mark(payload.drill, payload.limits)
          .pipe(Effect.catchTags({ NotInDrill: notInDrill, UnknownLimit: unknownLimit, ApiUnavailable: unavailable })),
    });
  }),
);

const notInDrill = () =>
  Effect.fail(
    new Forbidden({
      error: {
        code: "not_in_drill",
        message:
          "This node is not in drill mode: faults are armed and guards switched off only on a node that was started " +
          "with --drill or SPILLWAY_DRILL=true. Nothing was changed.",
      },
    }),
  );

const unknownLimit = ({ limit }: UnknownLimit) =>
  Effect.fail(
    new BadRequest({ error: { code: "bad_request", message: `limits: there is no limit "${limit.slice(0, 100)}".` } }),
  );
