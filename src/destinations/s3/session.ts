import { Clock, Effect } from "effect";
import type { Dispatcher } from "undici";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { type Exchange, exchange } from "../exchange.ts";
import { classifyS3 } from "./classify.ts";
import { type S3Request, type SigningKeys, signRequest } from "./request.ts";
import type { S3Settings } from "./settings.ts";

/** The requests of one push: signed, sent, and together bounded by one deadline. */
export interface S3Session {
  readonly send: (request: S3Request) => Effect.Effect<Exchange>;
  readonly classify: (result: Exchange) => Effect.Effect<PushOutcome>;
}

/**
 * @param keys shared by all sessions of a destination
 * @param deadlineMillis epoch
 */
export const openSession = (
  settings: S3Settings,
  dispatcher: Dispatcher,
  keys: SigningKeys,
  deadlineMillis: number,
): S3Session => ({
  send: Effect.fnUntraced(function* (request: S3Request) {
    const nowMillis = yield* Clock.currentTimeMillis;
    if (nowMillis >= deadlineMillis) return pastDeadline;
    const signed = yield* Effect.promise(() => signRequest(settings, keys, request, nowMillis));
    return yield* exchange(dispatcher, signed, {
      millisMax: deadlineMillis - nowMillis,
      stallMillisMax: settings.stallMillisMax,
    });
  }),
  classify: (result) =>
    Effect.map(Clock.currentTimeMillis, (nowMillis) => classifyS3(result, settings.host, nowMillis)),
});

const pastDeadline: Exchange = {
  _tag: "Failed",
  code: "ETIMEDOUT",
  message: "the push took too long",
  sent: false,
};
