import type { PushRequest } from "../../actors/ports/destinations.ts";
import { joinBody } from "../body.ts";
import type { ExchangeRequest } from "../exchange.ts";
import type { HttpSettings } from "./settings.ts";

/** The POST of one batch. Every attempt sends the same bytes under the same key; only `Spillway-Attempt` differs. */
export const httpRequest = (settings: HttpSettings, request: PushRequest): ExchangeRequest => ({
  origin: settings.origin,
  method: "POST",
  path: settings.path,
  headers: [
    ...settings.headers,
    "Content-Type",
    "application/x-ndjson",
    "Content-Encoding",
    "gzip",
    "Content-Length",
    String(request.bodyBytes),
    "Idempotency-Key",
    request.batchId,
    "Spillway-Batch",
    request.batchId,
    "Spillway-Attempt",
    String(request.attempt),
    "Spillway-Records",
    String(request.batch.records),
    ...(request.replay === true ? ["Spillway-Replay", "true"] : []),
  ],
  body: joinBody(request.body, request.bodyBytes),
  answerBytesKept: 0,
});
