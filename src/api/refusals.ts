import { Cause, Effect, Predicate } from "effect";
import { HttpServerError, HttpServerRequest, HttpServerRespondable, HttpServerResponse } from "effect/http";
import { HttpApi, HttpApiError } from "effect/http-api";
import { pathOf } from "./access.ts";
import { DocumentedApi, openapiPath } from "./contract.ts";
import type { ErrorDetail } from "./failures.ts";

/** Gives every failure that the handlers did not name themselves the one error body of the API. */
export const answerRefusals = <E, R>(
  handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.catchCauseIf(handled, (cause) => !Cause.hasInterruptsOnly(cause), refusalOf);

const refusalOf = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>) {
  const request = yield* HttpServerRequest.HttpServerRequest;
  const error = Cause.squash(cause);
  if (HttpServerError.isHttpServerError(error) && Predicate.isTagged(error.reason, "RouteNotFound"))
    return notFound(request);
  if (HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders") {
    return refusal(400, { code: "bad_request", message: `${error.kind}: ${oneLine(error.cause.message)}` });
  }
  if (HttpServerRespondable.isRespondable(error)) {
    const answer = yield* HttpServerRespondable.toResponse(error);
    if (answer.status < 500)
      return refusal(answer.status, { code: "bad_request", message: "The request was refused." });
  }
  yield* Effect.logError("A request failed unexpectedly.", cause);
  return refusal(500, { code: "internal", message: "Something unexpected happened; the node's log has the details." });
});

const notFound = (request: HttpServerRequest.HttpServerRequest) => {
  const path = pathOf(request.url);
  const allowed = methodsOf(path);
  return allowed.length === 0
    ? refusal(404, { code: "not_found", message: `There is nothing at ${path}; ${openapiPath} lists what there is.` })
    : refusal(
        405,
        { code: "method_not_allowed", message: `${path} takes ${allowed.join(", ")}, not ${request.method}.` },
        { allow: allowed.join(", ") },
      );
};

const refusal = (status: number, error: ErrorDetail, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.jsonUnsafe({ error }, { status, headers });

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, "; ").slice(0, 1_000);

/** Every documented route as [segments, method]; a segment that begins with `:` matches anything. */
const routes: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = (() => {
  const found: Array<readonly [ReadonlyArray<string>, string]> = [[openapiPath.split("/"), "GET"]];
  HttpApi.reflect(DocumentedApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => found.push([endpoint.path.split("/"), endpoint.method]),
  });
  return found;
})();

const methodsOf = (path: string): ReadonlyArray<string> => {
  const segments = path.split("/");
  return routes
    .filter(
      ([pattern]) =>
        pattern.length === segments.length &&
        pattern.every((part, at) => part.startsWith(":") || part === segments[at]),
    )
    .map(([, method]) => method);
};
