import { Effect } from "effect";
import type { Dispatcher } from "undici";
import type { OpenDestination, PushRequest } from "../../actors/ports/destinations.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { startExchange } from "../exchange.ts";
import { classifyHttp } from "./classify.ts";
import { httpRequest } from "./request.ts";
import type { HttpSettings } from "./settings.ts";

/**
 * At least once; a receiver that remembers `Idempotency-Key` sees each batch once.
 *
 * One effect per push, from the request to the outcome: thousands of small batches go this way in a second.
 */
export const httpDestination = (settings: HttpSettings, dispatcher: Dispatcher): OpenDestination => ({
  push: (request: PushRequest) =>
    Effect.clockWith((clock) =>
      Effect.callback<PushOutcome>((resume) => {
        const giveUp = startExchange(dispatcher, httpRequest(settings, request), settings, (result) =>
          resume(Effect.succeed(classifyHttp(result, settings.host, clock.currentTimeMillisUnsafe()))),
        );
        return Effect.sync(giveUp);
      }),
    ),
  locate: () => settings.location,
  host: settings.host,
});
