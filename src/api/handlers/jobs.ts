import { Effect, Result } from "effect";
import { type HttpServerRequest, HttpServerResponse } from "effect/http";
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict, NotFound, PreconditionFailed, TooLarge } from "../failures.ts";
import { pageMax } from "../page-query.ts";
import { type ExpectedRevision, type JobConflict, type JobNotFound, JobsAdmin, type ShownJob } from "../ports.ts";
import { unavailable } from "./node.ts";

/** Largest body of a push job, in bytes. */
export const jobBytesMax = 1_048_576;

export const JobsHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "jobs",
  Effect.fn(function* (handlers) {
    const admin = yield* JobsAdmin;

    const put = Effect.fn("api.putJob")(function* (id: string, request: HttpServerRequest.HttpServerRequest) {
      const expected = yield* expectedRevision(request.headers["if-match"], request.headers["if-none-match"]);
      const input = withId(id, yield* readJson(request));
      if (Result.isFailure(input)) return yield* invalid([input.failure]);
      const written = yield* admin.put(id, input.success, expected).pipe(
        Effect.catchTags({
          InvalidJob: ({ problems }) => invalid(problems),
          JobConflict: (conflict) => conflicting(id, expected, conflict),
          ApiUnavailable: unavailable,
        }),
      );
      // Two success schemas differ in status alone, which a value does not carry: answered by hand.
      return HttpServerResponse.jsonUnsafe(written, {
        status: written.change === "created" ? 201 : 200,
        headers: { etag: tagOf(written) },
      });
    });

    const remove = Effect.fn("api.deleteJob")(function* (id: string, ifMatch: string | undefined) {
      const expected = yield* expectedRevision(ifMatch, undefined);
      yield* admin.remove(id, expected).pipe(
        Effect.catchTags({
          JobNotFound: notFound,
          JobConflict: (conflict) => conflicting(id, expected, conflict),
          ApiUnavailable: unavailable,
        }),
      );
    });

    return handlers
      .handle("listJobs", ({ query }) =>
        admin.list({ after: query.after, limit: query.limit ?? pageMax }).pipe(Effect.mapError(unavailable)),
      )
      .handle("getJob", ({ params }) =>
        admin.get(params.id).pipe(
          Effect.map((shown) => HttpApiSchema.withHeaders({ body: shown, headers: { etag: tagOf(shown) } })),
          Effect.catchTags({ JobNotFound: notFound, ApiUnavailable: unavailable }),
        ),
      )
      .handleRaw("putJob", ({ params, request }) => put(params.id, request))
      .handle("deleteJob", ({ params, headers }) => remove(params.id, headers["if-match"]));
  }),
);

export const tagOf = (shown: ShownJob) => `"${shown.revision}"`;

/** @param what of a body, for the message when it is too large */
export const readJson = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  what = "A push job",
) {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > jobBytesMax) return yield* tooLarge(what);
  const text = yield* request.text.pipe(
    Effect.catch((error) =>
      // The limit of the body (MaxBodySize) has no error type of its own.
      error.reason.cause instanceof Error && error.reason.cause.message.includes("maxBytes")
        ? tooLarge(what)
        : Effect.fail(new BadRequest({ error: { code: "bad_request", message: "The body could not be read." } })),
    ),
  );
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new BadRequest({ error: { code: "invalid_json", message: "The body is not JSON." } }),
  });
});

const tooLarge = (what: string) =>
  Effect.fail(new TooLarge({ error: { code: "too_large", message: `${what} must not exceed ${jobBytesMax} bytes.` } }));

/** The id of the path is the id of the job: a body may leave it out, and must not say another. */
const withId = (id: string, input: unknown): Result.Result<unknown, string> => {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return Result.succeed(input);
  const stated = "id" in input ? input.id : id;
  return stated === id
    ? Result.succeed({ ...input, id })
    : Result.fail(`id: must be "${id}", as in the path, or be left out`);
};

export const invalid = (problems: ReadonlyArray<string>) =>
  Effect.fail(
    new BadRequest({
      error: {
        code: "invalid_job",
        message: `The push job is not valid: ${problems.slice(0, 3).join("; ")}`,
        problems,
      },
    }),
  );

export const notFound = ({ id }: JobNotFound) =>
  Effect.fail(new NotFound({ error: { code: "job_not_found", message: `There is no push job "${id}".` } }));

export const conflicting = (id: string, expected: ExpectedRevision, { revision }: JobConflict) => {
  const found = revision === undefined ? "is not stored" : `is at revision ${revision}`;
  const error = { code: "revision_mismatch", message: `Push job "${id}" ${found}: read it again, then repeat.` };
  return expected === undefined ? Effect.fail(new Conflict({ error })) : Effect.fail(new PreconditionFailed({ error }));
};

export const expectedRevision = (
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): Effect.Effect<ExpectedRevision, BadRequest> => {
  if (ifNoneMatch !== undefined) {
    return ifNoneMatch === "*" && ifMatch === undefined
      ? Effect.succeed("absent")
      : badPrecondition("If-None-Match takes * only, and not together with If-Match.");
  }
  if (ifMatch === undefined) return Effect.succeed(undefined);
  const revision = /^"(\d{1,15})"$/.exec(ifMatch)?.[1];
  return revision === undefined
    ? badPrecondition('If-Match takes one revision, such as "7", as the ETag of GET has it.')
    : Effect.succeed(Number(revision));
};

const badPrecondition = (message: string) =>
  Effect.fail(new BadRequest({ error: { code: "bad_precondition", message } }));
