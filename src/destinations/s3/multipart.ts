import { Clock, Effect } from "effect";
import type { PushRequest } from "../../actors/ports/destinations.ts";
import { deferred, type PushOutcome } from "../../domain/push-outcome.ts";
import { sliceBody } from "../body.ts";
import { type Exchange, headerOf } from "../exchange.ts";
import { elementOf } from "./classify.ts";
import { abortUpload, completeUpload, createUpload, uploadPart } from "./request.ts";
import type { S3Session } from "./session.ts";

/** S3 asks for at least 5 MiB in every part but the last, and takes at most 10,000 parts. */
const partBytesMin = 8_388_608;
const partsMax = 10_000;

/** Parts on their way at the same time: enough to fill a link, few enough to leave the host's share to others. */
const partsInFlightMax = 3;

/** How long a failed push may take to tidy up behind itself. */
const abortMillisMax = 2_000;

/** How a multipart upload ended: the completing exchange, or the outcome of the step that failed before it. */
export type UploadEnd =
  | { readonly _tag: "Completing"; readonly result: Exchange }
  | { readonly _tag: "Stopped"; readonly outcome: PushOutcome };

/**
 * Uploads a batch in parts. The object appears with the completing request, whole or not at all. Whatever goes wrong
 * before, interruption included, the upload is aborted so that the store does not keep (and bill) its parts. Only an
 * upload whose creation was interrupted stays behind: its id never came. It has no parts and costs nothing.
 *
 * @param tidy a session with a deadline of its own, for the abort
 */
export const uploadInParts = Effect.fnUntraced(function* (
  session: S3Session,
  tidy: Effect.Effect<S3Session>,
  key: string,
  request: PushRequest,
  conditional: boolean,
): Effect.fn.Return<UploadEnd> {
  const begun = yield* begin(session, key, request);
  if (begun._tag === "Stopped") return begun;
  return yield* Effect.onExit(finish(session, key, request, begun.uploadId, conditional), (exit) =>
    exit._tag === "Success" && isCompleted(exit.value)
      ? Effect.void
      : Effect.flatMap(tidy, (aborting) => aborting.send(abortUpload(key, begun.uploadId))),
  );
});

const isCompleted = (end: UploadEnd): boolean =>
  end._tag === "Completing" &&
  end.result._tag === "Answered" &&
  end.result.status === 200 &&
  elementOf(end.result, "ETag") !== undefined;

const stopped = (outcome: PushOutcome) => ({ _tag: "Stopped", outcome }) as const;

const begin = Effect.fnUntraced(function* (session: S3Session, key: string, request: PushRequest) {
  const result = yield* session.send(createUpload(key, request));
  const uploadId = result._tag === "Answered" && result.status === 200 ? elementOf(result, "UploadId") : undefined;
  if (uploadId !== undefined) return { _tag: "Begun", uploadId } as const;
  return stopped(yield* failedStep(session, result, "created an upload without saying its id"));
});

const finish = Effect.fnUntraced(function* (
  session: S3Session,
  key: string,
  request: PushRequest,
  uploadId: string,
  conditional: boolean,
) {
  const partBytes = Math.max(partBytesMin, Math.ceil(request.bodyBytes / partsMax));
  const numbers = Array.from({ length: Math.ceil(request.bodyBytes / partBytes) }, (_, index) => index + 1);
  const etags = yield* Effect.forEach(
    numbers,
    Effect.fnUntraced(function* (number) {
      const from = (number - 1) * partBytes;
      const to = Math.min(from + partBytes, request.bodyBytes);
      const body = sliceBody(request.body, from, to);
      const result = yield* session.send(uploadPart(key, uploadId, { number, body, bodyBytes: to - from }));
      const etag = result._tag === "Answered" && result.status === 200 ? headerOf(result, "etag") : undefined;
      // Failing stops the other parts; the failure is caught right below.
      return etag ?? (yield* Effect.fail(yield* failedStep(session, result, "took a part without an ETag")));
    }),
    { concurrency: partsInFlightMax },
  ).pipe(Effect.catch((outcome) => Effect.succeed(stopped(outcome))));
  if ("_tag" in etags) return etags;
  const result = yield* session.send(completeUpload(key, uploadId, etags, conditional));
  return { _tag: "Completing", result } as const;
});

/** Before the completing request nothing can be stored, so no such outcome is ambiguous. */
const failedStep = (session: S3Session, result: Exchange, otherwise: string): Effect.Effect<PushOutcome> =>
  Effect.map(session.classify(result), (outcome) => {
    if (outcome._tag === "Delivered") return deferred("other", `the store ${otherwise}`, { ambiguous: false });
    return outcome._tag === "Deferred" ? { ...outcome, ambiguous: false } : outcome;
  });

/** The epoch until which an abort may try. */
export const abortDeadline = Effect.map(Clock.currentTimeMillis, (nowMillis) => nowMillis + abortMillisMax);
