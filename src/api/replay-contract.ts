import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { BadRequest, Conflict, NotFound, Unavailable } from "./failures.ts";
import { ReplayInput, ReplayShown } from "./replay-reports.ts";

const id = { id: Schema.String };

export class ReplaysGroup extends HttpApiGroup.make("replays").add(
  HttpApiEndpoint.post("startReplay", "/v1/jobs/:id/replays", {
    params: id,
    payload: ReplayInput,
    success: ReplayShown.pipe(HttpApiSchema.status(202)),
    error: [BadRequest, NotFound, Conflict, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Push a range of the log to the job's destination again",
      description:
        "Runs in the background of this node, in its own lane. Its batches say that they are a replay; cursor and books " +
        "of the job do not change.",
    }),
  ),
  HttpApiEndpoint.get("listReplays", "/v1/replays", {
    success: Schema.Struct({ replays: Schema.Array(ReplayShown) }),
    error: Unavailable,
  }).annotateMerge(OpenApi.annotations({ summary: "Replays of this node, the newest first" })),
  HttpApiEndpoint.delete("cancelReplay", "/v1/replays/:id", {
    params: id,
    success: ReplayShown,
    error: [NotFound, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "Stop a replay; what was pushed stays where it is" })),
) {}
