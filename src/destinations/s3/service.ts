import { Clock, Effect } from "effect";
import type { Dispatcher } from "undici";
import type { OpenDestination, PushRequest } from "../../actors/ports/destinations.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../domain/push-outcome.ts";
import { oneLine } from "../detail.ts";
import { type Exchange, headerOf } from "../exchange.ts";
import { elementOf, refusesCondition } from "./classify.ts";
import { abortDeadline, uploadInParts } from "./multipart.ts";
import { batchHeader, headObject, putObject, s3Key, type SigningKeys } from "./request.ts";
import { openSession, type S3Session } from "./session.ts";
import type { S3Settings } from "./settings.ts";

/**
 * One object per batch, written only if its key is free. A key that is taken is Delivered when the object there names
 * this batch, so that a retry after a lost answer ends with one object, and is otherwise left alone.
 */
export const s3Destination = (settings: S3Settings, dispatcher: Dispatcher): OpenDestination => {
  const keys: SigningKeys = new Map();
  /** Until the store says that it does not know `If-None-Match`; then a retry overwrites with the same records. */
  let conditional = true;

  const session = (deadlineMillis: number) => openSession(settings, dispatcher, keys, deadlineMillis);

  const put = Effect.fnUntraced(function* (open: S3Session, key: string, request: PushRequest) {
    const result = yield* open.send(putObject(key, request, conditional));
    if (!conditional || !refusesCondition(result)) return yield* conclude(open, settings, key, request, result);
    const again = yield* open.send(putObject(key, request, false));
    // Remembered only when the condition was the reason: a 400 may have had another.
    if (again._tag === "Answered" && again.status < 300) conditional = false;
    return yield* conclude(open, settings, key, request, again);
  });

  const putInParts = Effect.fnUntraced(function* (open: S3Session, key: string, request: PushRequest) {
    // Looking first is cheaper than uploading all of it again to be told that it is there.
    if (request.attempt > 1 && (yield* holder(open, key, request)) === "this batch") return delivered(undefined, true);
    const tidy = Effect.map(abortDeadline, session);
    const end = yield* uploadInParts(open, tidy, key, request, conditional);
    if (end._tag === "Stopped") return end.outcome;
    if (conditional && refusesCondition(end.result)) {
      conditional = false;
      return deferred("other", `${settings.host} does not know If-None-Match; the next attempt goes without`, {
        ambiguous: false,
      });
    }
    return yield* concludeUpload(open, settings, key, request, end.result);
  });

  const push = Effect.fnUntraced(function* (request: PushRequest) {
    const open = session((yield* Clock.currentTimeMillis) + settings.millisMax);
    const key = s3Key(settings, request);
    return request.bodyBytes >= settings.multipartBytesMin
      ? yield* putInParts(open, key, request)
      : yield* put(open, key, request);
  });

  return {
    push,
    locate: (request) => `s3://${settings.bucket}/${s3Key(settings, request)}`,
    host: settings.host,
  };
};

/** The outcome of a write; a taken key (412) is looked at. */
const conclude = Effect.fnUntraced(function* (
  open: S3Session,
  settings: S3Settings,
  key: string,
  request: PushRequest,
  result: Exchange,
) {
  if (result._tag === "Failed" || result.status !== 412) return yield* open.classify(result);
  const found = yield* holder(open, key, request);
  switch (found) {
    case "this batch":
      return delivered(412, true);
    case "another":
      return rejected("conflict", oneLine(`s3://${settings.bucket}/${key} exists and is not this batch`), 412);
    case "nobody":
      return deferred("other", "the object was there and is gone", { status: 412, ambiguous: false });
    case "forbidden":
      return rejected(
        "conflict",
        oneLine(
          `s3://${settings.bucket}/${key} exists and may not be read: allow s3:GetObject so that it can be compared`,
        ),
        412,
      );
    default:
      // The object exists, so an earlier attempt may well have landed.
      return found._tag === "Deferred" ? { ...found, ambiguous: true } : found;
  }
});

/** A 200 to the completing request is a promise that the body keeps or breaks, so it counts only when it is whole. */
const concludeUpload = (
  open: S3Session,
  settings: S3Settings,
  key: string,
  request: PushRequest,
  result: Exchange,
): Effect.Effect<PushOutcome> =>
  result._tag === "Answered" && result.status === 200 && !result.complete && elementOf(result, "ETag") === undefined
    ? Effect.succeed(
        deferred("connection-reset", `${settings.host} answered 200 and then not the rest`, { status: 200 }),
      )
    : conclude(open, settings, key, request, result);

/** Whose object is under a key, or the outcome of not finding out. */
const holder = Effect.fnUntraced(function* (open: S3Session, key: string, request: PushRequest) {
  const found = yield* open.send(headObject(key));
  if (found._tag === "Answered") {
    if (found.status === 200) return headerOf(found, batchHeader) === request.batchId ? "this batch" : "another";
    if (found.status === 404) return "nobody";
    if (found.status === 403) return "forbidden";
  }
  return yield* open.classify(found);
});
