import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { EditedJob } from "../domain/job-transaction.ts";
import { BadRequest, Conflict, TooLarge, Unavailable } from "./failures.ts";

/** Documentation only: the body is checked against the full schema, which names every problem with its index. */
const ChangeInput = Schema.Struct({
  /** A push job, as in `PUT /v1/jobs/:id`, with its id. */
  put: Schema.optionalKey(Schema.Unknown),
  remove: Schema.optionalKey(Schema.String),
  ifRevision: Schema.optionalKey(Schema.Int),
});

export class JobTransactionsGroup extends HttpApiGroup.make("jobTransactions").add(
  HttpApiEndpoint.post("changeJobs", "/v1/jobs/transactions", {
    payload: Schema.Struct({
      changes: Schema.Array(ChangeInput),
      reason: Schema.optionalKey(Schema.String),
      dryRun: Schema.optionalKey(Schema.Boolean),
    }),
    success: Schema.Struct({ changes: Schema.Array(EditedJob), dryRun: Schema.Boolean }),
    error: [BadRequest, Conflict, TooLarge, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Change up to 1,000 push jobs as one: all or nothing",
      description:
        "Each change has either `put` (a push job) or `remove` (an id), and with `ifRevision` happens only when that is " +
        "the stored revision (0: only when there is no such job). What is as it is to be is left alone. With dryRun " +
        "nothing is written, and the answer says what would change.",
    }),
  ),
) {}
