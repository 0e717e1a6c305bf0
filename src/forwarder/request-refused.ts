/** A whole request refused: a value, never thrown, because shedding load must be cheap. */
export class RequestRefused {
  readonly status: number;
  /** Closed set, for programs; documented in `docs/INGEST.md`. */
  readonly code: string;
  /** For people: what to do about it. */
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: string, message: string, retryAfterSeconds?: number) {
    this.status = status;
    this.code = code;
    this.message = message;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 413, with the limit in the text. */
export const bodyTooLarge = (bytesMax: number, what: "body" | "inflated body") =>
  new RequestRefused(413, "body_too_large", `The ${what} is larger than ${bytesMax} bytes: send smaller bodies.`);

/** 503: the node has as much to do as it may. */
export const nodeBusy = (message: string, retryAfterSeconds: number) =>
  new RequestRefused(503, "busy", `${message} Nothing of this body was stored: send it again.`, retryAfterSeconds);
