import { Clock, type Context, Effect, type Scope } from "effect";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type JobSet, Jobs } from "../actors/ports/jobs.ts";
import { type AckTimeout, Outbox, type OutboxFull, type OutboxPiece } from "../actors/ports/outbox.ts";
import type { Dataset } from "../domain/dataset.ts";
import type { Limits } from "../domain/limits.ts";
import { pairKey } from "../domain/partition.ts";
import { ingestBytes, ingestRecords, ingestRequests, ingestSeconds } from "../observability/ingest-metrics.ts";
import { Admission } from "./admission.ts";
import { inflate, readBody, releaseBody } from "./body.ts";
import { Door, type DoorBook } from "./door.ts";
import { Grouping } from "./group.ts";
import { type IngestRequest, readHeaders } from "./ingest-request.ts";
import { RequestRefused } from "./refusal.ts";
import type { Refusals } from "./refusals.ts";
import { scanRecords } from "./scan.ts";

export interface IngestOptions {
  readonly limits: Limits;
  readonly datasets: { readonly get: (name: string) => Dataset | undefined };
}

export interface Ingest {
  /** Takes a `POST /v1/ingest/{dataset}` over, answer included. Never throws. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, dataset: string) => void;
  readonly inFlightBytes: () => number;
  /** The door's own book since this node started. */
  readonly door: () => ReadonlyArray<DoorBook>;
  /** Admits nothing more and completes when everything admitted has been answered. */
  readonly close: Effect.Effect<void>;
}

interface Sorted {
  readonly pieces: ReadonlyArray<OutboxPiece>;
  readonly accepted: number;
  readonly unconfigured: number;
  readonly refusals: Refusals;
}

/** The forwarder's door: reads a body, drops what no push job wants, and answers when the rest is durable. */
export const makeIngest = Effect.fn("forwarder.makeIngest")(function* (
  options: IngestOptions,
): Effect.fn.Return<Ingest, never, Outbox | Jobs | Scope.Scope> {
  const outbox = yield* Outbox;
  const jobs = yield* Jobs;
  const clock = yield* Clock.Clock;
  const now = () => clock.currentTimeMillisUnsafe();
  const context = yield* Effect.context();
  const runFork = Effect.runForkWith(context);
  const { datasets, limits } = options;
  const admission = new Admission(limits, now);
  const door = new Door();

  const handle = (request: IncomingMessage, response: ServerResponse, dataset: string): void => {
    const started = now();
    const known = datasets.get(dataset);
    let entered: ReturnType<Admission["enter"]> | undefined;
    const finish = (status: number, body: unknown, retryAfterSeconds?: number) => {
      answer(request, response, status, body, retryAfterSeconds);
      entered?.leave();
      ingestRequests(status).updateUnsafe(1, context);
      ingestSeconds.updateUnsafe((now() - started) / 1_000, context);
    };
    const refuse = ({ code, message, retryAfterSeconds, status }: RequestRefused) =>
      finish(status, { error: { code, message } }, retryAfterSeconds);
    const store = (asked: IngestRequest, body: Buffer) => {
      const sorted = sort(asked, body, jobs.served(), known, limits);
      const label = known === undefined ? "other" : dataset;
      ingestBytes(label).updateUnsafe(body.length, context);
      runFork(
        outbox.write(sorted.pieces, asked.idempotencyKey).pipe(
          Effect.match({
            onSuccess: () => {
              door.record(dataset, sorted, sorted.refusals);
              measure(label, sorted, context);
              finish(200, receiptOf(sorted));
              // Durable: neither the outbox nor anybody else looks at it again.
              releaseBody(body);
            },
            onFailure: (error) => refuse(refusalOf(error)),
          }),
          // A defect must not leave the producer without an answer.
          Effect.tapCause((cause) =>
            Effect.andThen(
              Effect.logError("An ingest request died.", cause),
              Effect.sync(() => finish(500, { error: { code: "internal", message: "Internal error." } })),
            ),
          ),
        ),
      );
    };
    try {
      const asked = readHeaders(request, dataset, known, limits.requestBodyBytesMax);
      const place = admission.enter(asked.contentLength);
      entered = place;
      readBody(request, limits, (raw) => {
        if (raw instanceof RequestRefused) return refuse(raw);
        inflate(raw, asked.encoding, limits, (body) => {
          if (body instanceof RequestRefused) return refuse(body);
          place.resize(body.length);
          store(asked, body);
        });
      });
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      refuse(error);
    }
  };

  const close = Effect.callback<void>((resume) => admission.close(() => resume(Effect.void))).pipe(
    // What is still not acknowledged then was not promised to anybody.
    Effect.timeoutOption(limits.requestAckMillisMax),
    Effect.asVoid,
  );
  return { handle, inFlightBytes: () => admission.bytesInFlight(), door: () => door.books(), close };
});

/** Records become pieces, are counted as unconfigured, or are refused, each alone. */
const sort = (
  asked: IngestRequest,
  body: Buffer,
  { pairs }: JobSet,
  known: Dataset | undefined,
  limits: Limits,
): Sorted => {
  const grouping = new Grouping(body, limits);
  let accepted = 0;
  let unconfigured = 0;
  const one = asked.customer === undefined ? undefined : pairs.get(pairKey(asked.customer, asked.dataset));
  const refusals = scanRecords(
    body,
    {
      recordBytesMax: limits.recordBytesMax,
      refusedListedMax: limits.refusedListedMax,
      customerField: asked.customerField,
      validate: known?.validate === true,
    },
    (start, end, clean, customer) => {
      const pair = customer === undefined ? one : pairs.get(pairKey(customer, asked.dataset));
      if (pair === undefined) {
        unconfigured += 1;
        return;
      }
      accepted += 1;
      grouping.add(pair, start, end, clean);
    },
  );
  grouping.flush();
  return { pieces: grouping.pieces, accepted, unconfigured, refusals };
};

const receiptOf = ({ accepted, refusals, unconfigured }: Sorted) => ({
  accepted,
  unconfigured,
  refusedCount: refusals.count,
  ...(refusals.count === 0 ? {} : { refusedByReason: refusals.byReason }),
  refused: refusals.listed,
});

const refusalOf = (error: OutboxFull | AckTimeout): RequestRefused =>
  error._tag === "OutboxFull"
    ? new RequestRefused(
        503,
        "outbox_full",
        "This node holds as many records as it may until the log takes more. Nothing of this body was stored.",
        error.retryAfterSeconds,
      )
    : new RequestRefused(
        503,
        "ack_timeout",
        "The log did not confirm in time. The records may still be stored: repeat the request with the same Idempotency-Key to be safe from duplicates.",
        error.retryAfterSeconds,
      );

const measure = (label: string, { accepted, refusals, unconfigured }: Sorted, context: Context.Context<never>) => {
  ingestRecords(label, "accepted").updateUnsafe(accepted, context);
  if (unconfigured > 0) ingestRecords(label, "unconfigured").updateUnsafe(unconfigured, context);
  if (refusals.count > 0) ingestRecords(label, "refused").updateUnsafe(refusals.count, context);
};

const answer = (
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: unknown,
  retryAfterSeconds: number | undefined,
): void => {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  // A body that was not read to its end cannot be followed by another request on this connection.
  const unread = !request.complete;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    ...(unread ? { connection: "close" } : {}),
  });
  response.end(text);
  if (unread) request.resume();
};
