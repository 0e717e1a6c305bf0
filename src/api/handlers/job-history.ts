import { Effect } from "effect";
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { Conflict } from "../failures.ts";
import { JobHistory, type NotRestorable } from "../job-history-port.ts";
import { conflicting, expectedRevision, invalid, notFound, tagOf } from "./jobs.ts";
import { unavailable } from "./node.ts";

export const JobHistoryHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "jobHistory",
  Effect.fn(function* (handlers) {
    const history = yield* JobHistory;

    const restore = Effect.fn("api.restoreJob")(function* (
      id: string,
      revision: number | undefined,
      ifMatch: string | undefined,
    ) {
      const expected = yield* expectedRevision(ifMatch, undefined);
      const written = yield* history.restore(id, revision, expected).pipe(
        Effect.catchTags({
          JobNotFound: notFound,
          NotRestorable: notRestorable,
          InvalidJob: ({ problems }) => invalid(problems),
          JobConflict: (conflict) => conflicting(id, expected, conflict),
          ApiUnavailable: unavailable,
        }),
      );
      return HttpApiSchema.withHeaders({ body: written, headers: { etag: tagOf(written) } });
    });

    return handlers
      .handle("jobHistory", ({ params }) =>
        history.list(params.id).pipe(Effect.catchTags({ JobNotFound: notFound, ApiUnavailable: unavailable })),
      )
      .handle("restoreJob", ({ headers, params, query }) => restore(params.id, query.revision, headers["if-match"]));
  }),
);

const notRestorable = ({ detail }: NotRestorable) =>
  Effect.fail(new Conflict({ error: { code: "not_restorable", message: detail } }));
