import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { DrillState, FaultName, GuardName } from "../domain/drill-state.ts";
import { BadRequest, ErrorDetail, Unavailable } from "./failures.ts";

/** Longest that something stays armed, or off, without being asked for again. */
export const drillSecondsMax = 3_600;
const drillSecondsDefault = 120;
const marksMax = 200;

export class Forbidden extends Schema.Error<Forbidden>("spillway/api/Forbidden")(
  { error: ErrorDetail },
  { httpApiStatus: 403 },
) {}

/** How long it may last; it ends by itself, so that a drill that died leaves nothing behind. */
const seconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: drillSecondsMax }));

export const secondsOr = (asked: number | undefined): number => asked ?? drillSecondsDefault;

export class DrillGroup extends HttpApiGroup.make("drill").add(
  HttpApiEndpoint.get("drillState", "/v1/drill", { success: DrillState, error: Forbidden }).annotateMerge(
    OpenApi.annotations({ summary: "What a drill has armed or switched off on this node" }),
  ),
  HttpApiEndpoint.post("armFault", "/v1/drill/faults", {
    payload: Schema.Struct({ name: FaultName, seconds: Schema.optionalKey(seconds) }),
    success: DrillState,
    error: Forbidden,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Arm a fault",
      description: `Only on a node that was started with SPILLWAY_DRILL=true. Disarms itself, after ${drillSecondsDefault} seconds if nothing else is asked for.`,
    }),
  ),
  HttpApiEndpoint.delete("disarmFaults", "/v1/drill/faults", { success: DrillState, error: Forbidden }).annotateMerge(
    OpenApi.annotations({ summary: "Disarm every fault" }),
  ),
  HttpApiEndpoint.delete("disarmFault", "/v1/drill/faults/:name", {
    params: { name: FaultName },
    success: DrillState,
    error: Forbidden,
  }).annotateMerge(OpenApi.annotations({ summary: "Disarm a fault" })),
  HttpApiEndpoint.post("switchGuard", "/v1/drill/guards", {
    payload: Schema.Struct({ name: GuardName, on: Schema.Boolean, seconds: Schema.optionalKey(seconds) }),
    success: DrillState,
    error: Forbidden,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Switch a protection off, or on again",
      description: "Off, it comes on again by itself like a fault disarms itself.",
    }),
  ),
  HttpApiEndpoint.post("markExercised", "/v1/drill/marks", {
    payload: Schema.Struct({
      drill: Schema.NonEmptyString.check(Schema.isMaxLength(200)),
      limits: Schema.Array(Schema.String).check(Schema.isMaxLength(marksMax)),
    }),
    success: HttpApiSchema.NoContent,
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Note limits that a drill has seen do their work",
      description: "On any node: the drill may have been one on a cluster of its own.",
    }),
  ),
) {}
