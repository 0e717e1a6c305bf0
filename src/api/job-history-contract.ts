import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { JobChange, PushJob } from "../domain/push-job.ts";
import { BadRequest, Conflict, NotFound, PreconditionFailed, Unavailable } from "./failures.ts";
import { JobHistoryReport } from "./job-history-reports.ts";

const id = { id: Schema.String };

export class JobHistoryGroup extends HttpApiGroup.make("jobHistory").add(
  HttpApiEndpoint.get("jobHistory", "/v1/jobs/:id/history", {
    params: id,
    success: JobHistoryReport,
    error: [NotFound, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({ summary: "Revisions of a push job, newest first: who changed what, when, and why" }),
  ),
  HttpApiEndpoint.post("restoreJob", "/v1/jobs/:id/restore", {
    params: id,
    headers: { "if-match": Schema.optionalKey(Schema.String) },
    query: {
      revision: Schema.optionalKey(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1e15 })),
      ),
    },
    success: HttpApiSchema.WithHeaders(Schema.Struct({ job: PushJob, revision: Schema.Int, change: JobChange }), {
      etag: Schema.String,
    }),
    error: [BadRequest, NotFound, Conflict, PreconditionFailed, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Bring a deleted push job back, or the settings of an earlier revision",
      description:
        "Secrets come back as they were stored. Without `revision` a deleted job gets the settings that it had last. The " +
        "store remembers 64 revisions of each job.",
    }),
  ),
) {}
