import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { BadRequest, Conflict, NotFound, Unavailable } from "./failures.ts";
import { RemovedSwitch, SwitchAnswer, SwitchInput, SwitchList } from "./switch-reports.ts";

export class SwitchesGroup extends HttpApiGroup.make("switches").add(
  HttpApiEndpoint.get("listSwitches", "/v1/switches", {
    success: SwitchList,
  }).annotateMerge(OpenApi.annotations({ summary: "Kill switches that are on, the oldest first" })),
  HttpApiEndpoint.post("addSwitch", "/v1/switches", {
    query: { dryRun: Schema.optionalKey(Schema.Literals(["true", "false"])) },
    payload: SwitchInput,
    success: SwitchAnswer,
    error: [BadRequest, Conflict, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Turn a kill switch on: stop a destination, a customer, a dataset or everything",
      description:
        "With dryRun=true nothing changes, and the answer says what it would hold. On every node within two seconds, " +
        "without a leader or a rollout; kept over restarts until it is taken away or its time is over.",
    }),
  ),
  HttpApiEndpoint.delete("removeSwitch", "/v1/switches/:id", {
    params: { id: Schema.String },
    success: RemovedSwitch,
    error: [NotFound, Conflict, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "Take a kill switch away: what it held goes on" })),
) {}
