import { Clock, Effect } from "effect";
import type { Dispatcher } from "undici";
import type { OpenDestination, PushRequest } from "../../actors/ports/destinations.ts";
import { exchange } from "../exchange.ts";
import { classifyHttp } from "./classify.ts";
import { httpRequest } from "./request.ts";
import type { HttpSettings } from "./settings.ts";

/** At least once; a receiver that remembers `Idempotency-Key` sees each batch once. */
export const httpDestination = (settings: HttpSettings, dispatcher: Dispatcher): OpenDestination => ({
  push: (request: PushRequest) =>
    Effect.flatMap(exchange(dispatcher, httpRequest(settings, request), settings.millisMax), (result) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => classifyHttp(result, settings.host, nowMillis)),
    ),
  locate: () => settings.location,
  host: settings.host,
});
