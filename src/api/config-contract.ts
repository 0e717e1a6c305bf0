import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { ConfigDiff, ConfigPlan, ConfigStatus, RolloutRecord } from "../domain/config-report.ts";
import { BadRequest, Conflict, NotFound, Unavailable } from "./failures.ts";

/** Most records in one answer. */
export const configHistoryMax = 1_000;

const Hash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/));
/** As `nodeName` is set on a node. */
const NodeName = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/));
const canaryNodesMax = 100;
const number = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0));
const changes = { success: ConfigStatus, error: [BadRequest, Conflict, NotFound, Unavailable] };

export class ConfigGroup extends HttpApiGroup.make("config").add(
  HttpApiEndpoint.get("configStatus", "/v1/config/status", {
    success: ConfigStatus,
    error: Unavailable,
  }).annotateMerge(OpenApi.annotations({ summary: "What is in force, what is on its way, and who serves what" })),
  HttpApiEndpoint.get("configPlan", "/v1/config/plan", {
    success: ConfigPlan,
    error: Unavailable,
  }).annotateMerge(OpenApi.annotations({ summary: "What would be rolled out next, and what the gate says of it" })),
  HttpApiEndpoint.get("configHistory", "/v1/config/history", {
    query: {
      limit: Schema.optionalKey(number.check(Schema.isBetween({ minimum: 1, maximum: configHistoryMax }))),
    },
    success: Schema.Struct({ rollouts: Schema.Array(RolloutRecord) }),
    error: [BadRequest, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "Ended rollouts, the newest first" })),
  HttpApiEndpoint.get("configDiff", "/v1/config/diff", {
    query: { from: number, to: number },
    success: ConfigDiff,
    error: [BadRequest, NotFound, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "What differs between two snapshots" })),
  HttpApiEndpoint.post("applyConfig", "/v1/config/apply", {
    payload: Schema.Struct({
      accept: Schema.optionalKey(Hash),
      canaryNodes: Schema.optionalKey(Schema.Array(NodeName).check(Schema.isMaxLength(canaryNodesMax))),
      unfreeze: Schema.optionalKey(Schema.Boolean),
    }),
    ...changes,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Roll out what is pending",
      description:
        "`accept` lets exactly one snapshot past the gate's thresholds. `canaryNodes` serve all of it before anybody else " +
        "does any of it; 400 when one of them is not alive. `unfreeze` does it although the configuration is frozen, and " +
        "ends that unless the gate refuses it. Answers when the rollout has begun. While one is under way, `begun` is that " +
        "one, and nothing changes; 409 when anything of the above is asked for.",
    }),
  ),
  HttpApiEndpoint.post("rollBackConfig", "/v1/config/rollback", {
    payload: Schema.Struct({ to: Schema.optionalKey(Schema.Int), accept: Schema.optionalKey(Hash) }),
    ...changes,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Bring the content of an earlier snapshot back",
      description:
        "Without `to`, of the one before, or of what a rollout under way came from. Freezes what would undo it.",
    }),
  ),
  HttpApiEndpoint.post("freezeConfig", "/v1/config/freeze", changes).annotateMerge(
    OpenApi.annotations({ summary: "Roll nothing out until further notice" }),
  ),
  HttpApiEndpoint.post("unfreezeConfig", "/v1/config/unfreeze", changes).annotateMerge(
    OpenApi.annotations({ summary: "Roll out what is pending, now and from now on" }),
  ),
  HttpApiEndpoint.post("haltConfig", "/v1/config/halt", changes).annotateMerge(
    OpenApi.annotations({ summary: "Stop the rollout under way where it is" }),
  ),
  HttpApiEndpoint.post("resumeConfig", "/v1/config/resume", changes).annotateMerge(
    OpenApi.annotations({ summary: "Go on with a rollout that was halted" }),
  ),
) {}
