import { Effect } from "effect";
import type { Dispatcher } from "undici";
import { codeOf, messageOf } from "./detail.ts";

/** One HTTP request, ready to be sent. */
export interface ExchangeRequest {
  readonly origin: string;
  readonly method: "POST" | "PUT" | "HEAD" | "DELETE";
  /** With the query. */
  readonly path: string;
  /** Names and values alternating: the form that undici takes without copying. */
  readonly headers: ReadonlyArray<string>;
  readonly body: Uint8Array | ReadonlyArray<Uint8Array> | undefined;
  /** How much of the answer's body to keep; the rest is read and dropped, up to {@link answerBytesMax}. */
  readonly answerBytesKept: number;
}

/** What came of an exchange. */
export type Exchange =
  | {
      readonly _tag: "Answered";
      readonly status: number;
      readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>;
      readonly body: Uint8Array;
      /** False when the answer's body was cut: by the other side, by the deadline, or because it was too long. */
      readonly complete: boolean;
    }
  | {
      readonly _tag: "Failed";
      /** Node's or undici's code; `ETIMEDOUT` for the deadline. */
      readonly code: string;
      readonly message: string;
      /** Whether the request had begun to leave: false means that nothing can have been stored. */
      readonly sent: boolean;
    };

/** How long one exchange may take. */
export interface ExchangeLimits {
  /** From connect to last byte. */
  readonly millisMax: number;
  /** Without any progress: see {@link progressBytesMin}. */
  readonly stallMillisMax: number;
}

/**
 * Progress is that the connection has taken so many bytes more, or that an answer has begun: an upload slower than some
 * 3 KB/s has stalled with the default, and so has an answer that drips, for a whole one is no longer than this.
 */
const progressBytesMin = 65_536;

/** An answer longer than this is cut by closing the connection. */
export const answerBytesMax = 65_536;

/**
 * Sends one request and waits for its answer to end, within the limits, so that neither a hanging nor a dripping server
 * holds a push for ever. Redirects are answers like any other. Once status and headers
 * are here the exchange is `Answered`, however the body ends: the destination has spoken.
 *
 * Interruption destroys the connection. Never fails.
 */
export const exchange = (
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  limits: ExchangeLimits,
): Effect.Effect<Exchange> =>
  Effect.callback<Exchange>((resume) => {
    const giveUp = startExchange(dispatcher, request, limits, (result) => resume(Effect.succeed(result)));
    return Effect.sync(giveUp);
  });

/**
 * The same without an effect of its own, for whoever has to make something else of the result at once.
 *
 * @param done called once; never after the exchange was given up
 * @returns how to give the exchange up
 */
export const startExchange = (
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  limits: ExchangeLimits,
  done: (result: Exchange) => void,
): (() => void) => {
  const handler = new ExchangeHandler(request.answerBytesKept, limits, done);
  dispatcher.dispatch(
    dispatchOptions(request, () => handler.progressed()),
    handler,
  );
  return () => handler.giveUp();
};

const dispatchOptions = (request: ExchangeRequest, progressed: () => void): Dispatcher.DispatchOptions => ({
  origin: request.origin,
  method: request.method,
  path: request.path,
  headers: request.headers as Array<string>,
  // undici takes any iterable of bytes; its types do not say so.
  body: watched(request.body, progressed) as Uint8Array | null,
  // The deadline is ours, over the whole exchange; undici's timers would only add cost.
  headersTimeout: 0,
  bodyTimeout: 0,
});

/**
 * A body so large that the kernel does not take it at once goes out in pieces: undici asks for the next one when the
 * socket has drained, and that is the only sign there is of an upload's progress.
 */
const watched = (
  body: ExchangeRequest["body"],
  progressed: () => void,
): ExchangeRequest["body"] | Iterable<Uint8Array> => {
  if (body === undefined) return body;
  const parts = body instanceof Uint8Array ? [body] : body;
  const bytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return bytes <= uploadWatchedBytesMin ? body : pieces(parts, progressed);
};

function* pieces(parts: ReadonlyArray<Uint8Array>, progressed: () => void): Iterable<Uint8Array> {
  for (const part of parts) {
    for (let from = 0; from < part.byteLength; from += progressBytesMin) {
      progressed();
      yield part.subarray(from, from + progressBytesMin);
    }
  }
}

/** Smaller bodies fit into the socket's buffers: they are gone as soon as they are written. */
const uploadWatchedBytesMin = 262_144;

/** Follows one exchange with undici's lowest interface: no streams and no promises per request. */
class ExchangeHandler implements Dispatcher.DispatchHandler {
  private readonly done: (result: Exchange) => void;
  private readonly deadline: NodeJS.Timeout;
  private readonly stall: NodeJS.Timeout | undefined;
  private isDone = false;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>> = {};
  private kept: Array<Uint8Array> | undefined;
  private keptBytes = 0;
  private answerBytes = 0;
  private aborted = false;
  private readonly bytesKeptMax: number;

  constructor(bytesKeptMax: number, limits: ExchangeLimits, done: (result: Exchange) => void) {
    this.bytesKeptMax = bytesKeptMax;
    this.done = done;
    // Node's own timer: of the thousands set in a second nearly all are cleared again, and a race of fibers for each
    // would cost more than the request.
    // @effect-diagnostics-next-line globalTimers:off
    this.deadline = setTimeout(() => this.timeOut(limits.millisMax), limits.millisMax);
    const { stallMillisMax } = limits;
    if (stallMillisMax >= limits.millisMax) return;
    // @effect-diagnostics-next-line globalTimers:off
    this.stall = setTimeout(() => this.timeOut(stallMillisMax), stallMillisMax);
  }

  /** Something has moved: the watchdog waits anew. */
  progressed(): void {
    if (!this.isDone) this.stall?.refresh();
  }

  private timeOut(millis: number): void {
    this.finish(this.resultAfter(millis));
    this.abort();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // Given up while it waited for a connection: undici offers no way to take a request back before this moment.
    if (this.aborted) controller.abort(new ExchangeAborted());
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: typeof this.headers): void {
    // 1xx are announcements, not answers.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.progressed();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.answerBytes += chunk.byteLength;
    const room = this.bytesKeptMax - this.keptBytes;
    if (room > 0) {
      // Copied: undici reuses the memory.
      const part = Buffer.from(chunk.subarray(0, room));
      (this.kept ??= []).push(part);
      this.keptBytes += part.byteLength;
    }
    if (this.answerBytes > answerBytesMax) {
      this.finish(this.answered(false));
      this.abort();
    }
  }

  onResponseEnd(): void {
    this.finish(this.answered(this.keptBytes === this.answerBytes || this.bytesKeptMax === 0));
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    this.finish(this.status > 0 ? this.answered(false) : this.failed(codeOf(error), messageOf(error)));
  }

  giveUp(): void {
    this.isDone = true;
    clearTimeout(this.deadline);
    clearTimeout(this.stall);
    this.abort();
  }

  private finish(result: Exchange): void {
    // The abort that follows an answer of too many bytes, or the deadline, is reported as an error as well.
    if (this.isDone) return;
    this.isDone = true;
    clearTimeout(this.deadline);
    clearTimeout(this.stall);
    this.done(result);
  }

  private resultAfter(millis: number): Exchange {
    if (this.status > 0) return this.answered(false);
    const doing = this.controller === undefined ? "no connection" : "no answer";
    return this.failed("ETIMEDOUT", `${doing} within ${millis} ms`);
  }

  private abort(): void {
    this.aborted = true;
    this.controller?.abort(new ExchangeAborted());
  }

  private answered(complete: boolean): Exchange {
    const body = this.kept === undefined ? noBytes : Buffer.concat(this.kept);
    return { _tag: "Answered", status: this.status, headers: this.headers, body, complete };
  }

  private failed(code: string, message: string): Exchange {
    return { _tag: "Failed", code, message, sent: this.controller !== undefined };
  }
}

class ExchangeAborted extends Error {
  readonly code = "UND_ERR_ABORTED";

  constructor() {
    super("the push was given up");
  }
}

const noBytes = new Uint8Array(0);

/** A header that may have come more than once: its first value. */
export const headerOf = (answer: Extract<Exchange, { _tag: "Answered" }>, name: string): string | undefined => {
  const value = answer.headers[name];
  return typeof value === "string" ? value : value?.[0];
};
