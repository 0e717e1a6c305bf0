import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { DeadLettersAdmin, type LetterNotFound } from "../dead-letters-port.ts";
import { NotFound } from "../failures.ts";
import { unavailable } from "./node.ts";

const notFound = ({ detail }: LetterNotFound) =>
  Effect.fail(new NotFound({ error: { code: "dead_letter_not_found", message: detail } }));

const failures = { LetterNotFound: notFound, ApiUnavailable: unavailable };

export const DeadLettersHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "deadLetters",
  Effect.fn(function* (handlers) {
    const admin = yield* DeadLettersAdmin;
    return handlers.handleAll({
      listDeadLetters: ({ query }) => Effect.mapError(admin.list(query), unavailable),
      getDeadLetter: ({ params }) => admin.get(params).pipe(Effect.catchTags(failures)),
      dropDeadLetter: ({ params }) => admin.drop(params).pipe(Effect.catchTags(failures)),
      dropDeadLetters: ({ params }) =>
        admin.dropAll(params.job).pipe(
          Effect.map((dropped) => ({ dropped })),
          Effect.mapError(unavailable),
        ),
      replayDeadLetter: ({ params }) => admin.replay(params).pipe(Effect.catchTags(failures)),
      replayDeadLetters: ({ params, query }) =>
        admin.replayAll(params.job, query.after).pipe(Effect.catchTags(failures)),
    });
  }),
);
