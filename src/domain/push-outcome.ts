/** Every expected result of one push, as a value. A thrown error is a bug. */
export type PushOutcome =
  | {
      readonly _tag: "Delivered";
      readonly status: number | undefined;
      /** The destination already held this batch under this id: an earlier attempt had landed. */
      readonly alreadyThere: boolean;
    }
  | {
      readonly _tag: "Deferred";
      readonly reason: DeferredReason;
      readonly status: number | undefined;
      /** From `Retry-After`: not before this long from now. */
      readonly retryAfterMillis: number | undefined;
      /**
       * Whether the destination may have stored the batch all the same (timeout, reset, 5xx after the body was sent).
       */
      readonly ambiguous: boolean;
      /** For people: one line, no credential, no record. */
      readonly detail: string;
    }
  | {
      readonly _tag: "Rejected";
      readonly reason: RejectedReason;
      readonly status: number | undefined;
      readonly detail: string;
    };

/** Closed set: a metric label. */
export type DeferredReason =
  | "throttled"
  | "server-error"
  | "timeout"
  | "connection-refused"
  | "connection-reset"
  | "dns"
  | "storage-full"
  /** Not tried: the destination's host fails, for this job or for others, and is left alone for a while. */
  | "circuit-open"
  /** Not tried: the destination's host has asked for a pause. */
  | "host-paused"
  /** Not tried: a kill switch is on. */
  | "switched-off"
  | "other";

/** Closed set: a metric label. `data` concerns this batch alone; the others concern the job's settings. */
export type RejectedReason =
  | "unauthorised"
  | "forbidden"
  | "not-found"
  | "redirect"
  | "tls"
  | "blocked-address"
  | "conflict"
  | "invalid-settings"
  | "data"
  | "other";

export const delivered = (status?: number, alreadyThere = false): PushOutcome => ({
  _tag: "Delivered",
  status,
  alreadyThere,
});

/**
 * Classifies an HTTP status (http and s3 alike; 412 of a conditional object write is the caller's, who can compare).
 * 2xx Delivered; 408, 425, 429 and 5xx Deferred; everything else Rejected.
 *
 * @param retryAfterMillis what `Retry-After` said, when it said something
 */
export const classifyStatus = (status: number, retryAfterMillis: number | undefined, detail: string): PushOutcome => {
  if (status >= 200 && status < 300) return delivered(status);
  if (status === 429) return deferred("throttled", detail, { status, retryAfterMillis, ambiguous: false });
  if (status === 408 || status === 425) return deferred("timeout", detail, { status, retryAfterMillis });
  // 503 is the one server error by which a server says that it did not take the request.
  if (status >= 500) {
    return deferred("server-error", detail, { status, retryAfterMillis, ambiguous: status !== 503 });
  }
  return rejected(rejectedReasonOf(status), detail, status);
};

const rejectedReasonOf = (status: number): RejectedReason => {
  if (status === 401) return "unauthorised";
  if (status === 403) return "forbidden";
  if (status === 404 || status === 410) return "not-found";
  if (status === 409 || status === 412) return "conflict";
  if (status === 400 || status === 413 || status === 422) return "data";
  if (status >= 300 && status < 400) return "redirect";
  return "other";
};

/**
 * Classifies what a socket, a resolver or the file system threw, by its Node or undici code.
 * Unknown codes are Deferred and ambiguous: the careful answer.
 *
 * @param sent false when not one byte of the request had left: then nothing can have been stored
 */
export const classifyException = (code: string, detail: string, sent = true): PushOutcome => {
  const outcome = exceptionOutcome(code, detail);
  return outcome._tag === "Deferred" && !sent ? { ...outcome, ambiguous: false } : outcome;
};

const exceptionOutcome = (code: string, detail: string): PushOutcome => {
  switch (code) {
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "UND_ERR_CONNECT_TIMEOUT":
      return deferred("connection-refused", detail, { ambiguous: false });
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
      return deferred("dns", detail, { ambiguous: false });
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return deferred("connection-reset", detail);
    case "ETIMEDOUT":
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
    case "UND_ERR_ABORTED":
      return deferred("timeout", detail);
    case "ENOSPC":
    case "EDQUOT":
      return deferred("storage-full", detail, { ambiguous: false });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return rejected("forbidden", detail);
    case "EEXIST":
    case "ENOTDIR":
    case "EISDIR":
    case "ENAMETOOLONG":
    case "ELOOP":
    case "UND_ERR_INVALID_ARG":
    case "UND_ERR_NOT_SUPPORTED":
      return rejected("invalid-settings", detail);
    case "SPILLWAY_BLOCKED_ADDRESS":
      return rejected("blocked-address", detail);
    default:
      return tlsPrefixes.some((prefix) => code.startsWith(prefix)) || tlsCodes.has(code)
        ? rejected("tls", detail)
        : deferred("other", detail);
  }
};

const tlsPrefixes = ["ERR_TLS", "ERR_SSL", "CERT_", "UNABLE_TO_"];

const tlsCodes = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "EPROTO",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
]);

export const deferred = (
  reason: DeferredReason,
  detail: string,
  options: { status?: number; retryAfterMillis?: number | undefined; ambiguous?: boolean } = {},
): PushOutcome => ({
  _tag: "Deferred",
  reason,
  detail,
  status: options.status,
  retryAfterMillis: options.retryAfterMillis,
  ambiguous: options.ambiguous ?? true,
});

export const rejected = (reason: RejectedReason, detail: string, status?: number): PushOutcome => ({
  _tag: "Rejected",
  reason,
  detail,
  status,
});

/** The longest wait that a destination may ask for: it must not park a job until its log has expired. */
export const retryAfterMillisMax = 3_600_000;

/**
 * What `Retry-After` says, in milliseconds from now: seconds or an HTTP date, at most {@link retryAfterMillisMax}.
 * Undefined when the header is absent or is neither.
 */
export const parseRetryAfter = (value: string | undefined, nowMillis: number): number | undefined => {
  const text = value?.trim() ?? "";
  const wait = /^\d+$/.test(text)
    ? Number(text) * 1_000
    : httpDate.test(text)
      ? Date.parse(text.endsWith("GMT") ? text : `${text} GMT`) - nowMillis
      : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), retryAfterMillisMax);
};

/**
 * The three forms of RFC 9110: IMF-fixdate, RFC 850, asctime (which names no zone and means GMT). `Date.parse` alone
 * would take far more for a date.
 */
const httpDate =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;
