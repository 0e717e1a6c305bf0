import type { IncomingMessage, ServerResponse } from "node:http";
import type { AckTimeout, NotServed, OutboxFull } from "../actors/ports/outbox.ts";
import { RequestRefused } from "./request-refused.ts";
import {
  heldBackDetails,
  type HeldBackReason,
  heldBackReasons,
  type Refusals,
  type Refused,
  type RefusedReason,
} from "./refusals.ts";
import type { Sorted } from "./sort.ts";

/** The 200 of an ingest request: what became of each record. Everything accepted is durable. */
export interface Receipt {
  readonly accepted: number;
  /** No enabled push job wants them: counted and dropped. */
  readonly unconfigured: number;
  readonly refusedCount: number;
  readonly refusedByReason: Readonly<Partial<Record<RefusedReason, number>>>;
  /** The first `refusedListedMax` of them. */
  readonly refused: ReadonlyArray<Refused>;
}

export const receiptOf = ({ accepted, refusals, unconfigured }: Sorted): Receipt => ({
  accepted,
  unconfigured,
  refusedCount: refusals.count,
  refusedByReason: refusals.byReason,
  refused: refusals.listed,
});

export const refusalOfOutbox = (error: OutboxFull | AckTimeout | NotServed): RequestRefused => {
  if (error._tag === "NotServed") return notServed;
  return error._tag === "OutboxFull"
    ? new RequestRefused(
        503,
        "outbox_full",
        "This node holds as many records as it may until the log takes more. Nothing of this body was stored: send it again.",
        error.retryAfterSeconds,
      )
    : new RequestRefused(
        503,
        "ack_timeout",
        "The log did not confirm in time. The records may be stored later: a repeated request is safe from duplicates only with the same Idempotency-Key.",
        error.retryAfterSeconds,
      );
};

const notServed = new RequestRefused(
  503,
  "configuration_changed",
  "The push jobs in force changed while this body was on its way. Nothing of it was stored: send it again.",
  1,
);

/** Seconds until it may be otherwise: a backlog takes its time, a log is read fast. */
const heldBackSeconds: Readonly<Record<HeldBackReason, number>> = {
  "over-quota": 10,
  newcomer: 5,
  "over-share": 5,
  "log-full": 2,
  "switched-off": 10,
};

const heldBackIn = ({ byReason }: Pick<Refusals, "byReason">): ReadonlyArray<HeldBackReason> =>
  heldBackReasons.filter((reason) => byReason[reason] !== undefined);

/** When to send what was held back again; undefined when nothing was. */
export const retryAfterOf = ({ refusals }: Sorted): number | undefined => {
  const seconds = heldBackIn(refusals).map((reason) => heldBackSeconds[reason]);
  return seconds.length === 0 ? undefined : Math.max(...seconds);
};

/** Nothing of the body got in, and something of it may later: the whole is asked for again. */
export const allHeldBack = (sorted: Sorted): RequestRefused | undefined => {
  const [reason] = heldBackIn(sorted.refusals);
  if (sorted.accepted > 0 || reason === undefined) return undefined;
  const detail = heldBackDetails[reason];
  return new RequestRefused(
    reason === "log-full" || reason === "switched-off" ? 503 : 429,
    reason.replaceAll("-", "_"),
    `${detail[0]!.toUpperCase()}${detail.slice(1)}. Nothing of this body was stored.`,
    retryAfterOf(sorted),
  );
};

/** The node has just started: it does not know any set of push jobs, not even an empty one. */
export const notServing = (why: string | undefined) =>
  new RequestRefused(
    503,
    "starting",
    `This node has no configuration yet (no push job is in force) and never guesses${why === undefined ? "" : `; ${why}`}. ` +
      "Nothing of this body was stored: send it again.",
    1,
  );

/** The node ended while the log was to confirm. */
export const cutShort = new RequestRefused(
  503,
  "draining",
  "This node is shutting down. The records may be stored: a repeated request is safe from duplicates only with the same Idempotency-Key.",
  1,
);

export const internalError = new RequestRefused(
  500,
  "internal",
  "Something unexpected happened; the node's log has the details. Records of this body may be stored.",
);

/** How long the rest of a refused body is read and thrown away, so that the producer gets to read the answer. */
const lingerMillis = 1_000;
/** A body of at most so many bytes is read to its end after a refusal: cheaper than a new connection. */
const keptAliveBytesMax = 65_536;

/** Answers once; does nothing when the producer is gone or was answered. */
export const sendAnswer = (
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: unknown,
  retryAfterSeconds: number | undefined,
): void => {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  const rest = restOf(request, response, status);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    ...(rest === "close" || rest === "linger" ? { connection: "close" } : {}),
  });
  if (rest === "linger") linger(request, response, text);
  else response.end(text);
  if (rest !== "read") request.resume();
};

/**
 * What to do with the part of the body that was not read. Closing at once would reset the connection under a producer
 * that is still sending, and the answer would be lost with it.
 */
const restOf = (request: IncomingMessage, response: ServerResponse, status: number) => {
  if (request.complete) return "read";
  if (expectsContinue(request, response)) return "close";
  const announced = request.headers["content-length"];
  const isSmall = announced !== undefined && Number(announced) <= keptAliveBytesMax;
  return isSmall && status !== 408 ? "keep" : "linger";
};

const linger = (request: IncomingMessage, response: ServerResponse, text: string): void => {
  response.write(text);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  // Node's own timer: no effect runs for a request that was refused at the door.
  // @effect-diagnostics-next-line globalTimers:off
  const timer = setTimeout(end, lingerMillis);
  request.once("end", end);
  request.once("close", end);
};

/** Whether the producer waits for `100 Continue` before it sends its body. */
const expectsContinue = (request: IncomingMessage, response: ServerResponse): boolean =>
  request.headers.expect?.toLowerCase() === "100-continue" && !wasContinued(response);

/** Node keeps this to itself; it may have answered for us, depending on how the server was set up. */
const wasContinued = (response: ServerResponse): boolean =>
  (response as { readonly _sent100?: boolean })._sent100 === true;

/** Lets an admitted producer send its body. */
export const sendContinue = (request: IncomingMessage, response: ServerResponse): void => {
  if (expectsContinue(request, response)) response.writeContinue();
};
