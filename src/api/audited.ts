import { Effect, Option } from "effect";
import { HttpServerRequest, HttpServerResponse } from "effect/http";
import { ChangedBy } from "../actors/ports/changed-by.ts";
import type { AuditNote } from "../domain/audit-entry.ts";
import type { AuditTrail } from "./audit-port.ts";

const textMax = 500;
const harmless: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Notes every request that may change something, before it is handled and once more with its answer. What cannot be
 * noted is refused: a change that nobody could find again is worse than one that has to be asked for twice.
 */
export const audited =
  (trail: AuditTrail["Service"]) =>
  <E, R>(
    handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      if (harmless.has(request.method)) return yield* handled;
      const note = noteOf(request);
      const asked = yield* Effect.result(trail.append(note));
      if (asked._tag === "Failure") return refusal(asked.failure.detail);
      const response = yield* handled.pipe(Effect.provideService(ChangedBy, accountIn(request)));
      const answered = { ...note, kind: "request.answered" as const, detail: detailOf(asked.success, response) };
      yield* trail.append(answered).pipe(
        Effect.catch(({ detail }) =>
          // It is done: that it was asked for is in the log, and how it ended in the node's.
          Effect.logError("An answer could not be noted in the audit log.", { ...answered, problem: detail }),
        ),
      );
      return response;
    });

/** Who asks, and why, as they say. */
export const accountIn = ({ headers }: HttpServerRequest.HttpServerRequest) => ({
  who: textOf(headers["spillway-actor"]) || "unnamed",
  why: textOf(headers["spillway-reason"]),
});

const noteOf = (request: HttpServerRequest.HttpServerRequest): AuditNote => ({
  kind: "request.asked",
  ...accountIn(request),
  from: Option.getOrElse(request.remoteAddress, () => ""),
  what: `${request.method} ${request.url.slice(0, textMax)}`,
  detail: "",
});

/** One line, of printable characters. */
export const textOf = (header: string | undefined): string =>
  (header ?? "").replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, textMax);

const detailOf = (asked: number, { headers, status }: HttpServerResponse.HttpServerResponse): string => {
  const revision = headers["etag"]?.replaceAll('"', "");
  return `asked in ${asked}: status ${status}${revision === undefined ? "" : `, revision ${revision}`}`;
};

const refusal = (detail: string) =>
  HttpServerResponse.jsonUnsafe(
    {
      error: {
        code: "not_audited",
        message: `The change was not made, for it could not be noted in the audit log: ${detail}.`,
      },
    },
    { status: 503, headers: { "retry-after": "1" } },
  );
