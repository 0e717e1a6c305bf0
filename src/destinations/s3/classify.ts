import { STATUS_CODES } from "node:http";
import {
  classifyException,
  classifyStatus,
  deferred,
  parseRetryAfter,
  type PushOutcome,
  rejected,
} from "../../domain/push-outcome.ts";
import { oneLine } from "../detail.ts";
import { type Exchange, headerOf } from "../exchange.ts";

type Answered = Extract<Exchange, { _tag: "Answered" }>;

/** The `<Code>` of an error answer; codes only: messages may quote credentials. */
const errorCodeOf = (answer: Answered): string | undefined =>
  /<Error[\s>][\s\S]*?<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(Buffer.from(answer.body).toString("latin1"))?.[1];

/** The text of an element of a successful answer. */
export const elementOf = (answer: Answered, name: string): string | undefined => {
  const found = new RegExp(`<${name}>([^<]{1,2048})</${name}>`).exec(Buffer.from(answer.body).toString("utf8"))?.[1];
  return found?.replace(/&(amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});/g, (_, entity: string) =>
    unescapeXml(entity),
  );
};

const namedEntities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

const unescapeXml = (entity: string): string => {
  const named = namedEntities[entity];
  if (named !== undefined) return named;
  const point = entity.startsWith("#x") ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
  return point <= 0x10_ffff ? String.fromCodePoint(point) : "";
};

/** Whether the store says that it does not know the conditional header. */
export const refusesCondition = (result: Exchange): boolean => {
  if (result._tag === "Failed") return false;
  const code = errorCodeOf(result);
  return result.status === 501 || (result.status === 400 && (code === "NotImplemented" || code === "InvalidArgument"));
};

/**
 * The outcome of an exchange with the store. Where S3's error code says more than the status, it wins: the same 400 and
 * 403 stand for expired credentials, a wrong clock, and a slow upload.
 */
export const classifyS3 = (result: Exchange, host: string, nowMillis: number): PushOutcome => {
  if (result._tag === "Failed") {
    return classifyException(result.code, oneLine(`${host}: ${result.message}`), result.sent);
  }
  const { status } = result;
  const code = errorCodeOf(result);
  const said = `${host} answered ${status} ${code ?? STATUS_CODES[status] ?? ""}`;
  const advice = code === undefined ? undefined : adviceOf[code];
  const detail = oneLine(advice === undefined ? said : `${said}: ${advice}`);
  const retryAfterMillis = parseRetryAfter(headerOf(result, "retry-after"), nowMillis);
  const known = code === undefined ? undefined : byCode[code];
  if (known !== undefined) {
    return known.tag === "Deferred"
      ? deferred(known.reason, detail, { status, retryAfterMillis, ambiguous: known.ambiguous })
      : rejected(known.reason, detail, status);
  }
  // A completed upload may fail after its 200 was sent: then the error is in the body.
  if (status < 300 && code !== undefined) {
    return deferred("server-error", detail, { status, retryAfterMillis, ambiguous: true });
  }
  // 400 is never about the records here: the store does not look into them, and bisecting would find nothing.
  if (status === 400) return rejected("other", detail, status);
  return classifyStatus(status, retryAfterMillis, detail);
};

type Known =
  | {
      readonly tag: "Deferred";
      readonly reason: Extract<PushOutcome, { _tag: "Deferred" }>["reason"];
      readonly ambiguous: boolean;
    }
  | { readonly tag: "Rejected"; readonly reason: Extract<PushOutcome, { _tag: "Rejected" }>["reason"] };

const defer = (reason: Extract<Known, { tag: "Deferred" }>["reason"], ambiguous = false): Known => ({
  tag: "Deferred",
  reason,
  ambiguous,
});

const reject = (reason: Extract<Known, { tag: "Rejected" }>["reason"]): Known => ({ tag: "Rejected", reason });

const byCode: Readonly<Record<string, Known>> = {
  // Ours, not the job's: it heals when the clock does.
  RequestTimeTooSkewed: defer("other"),
  RequestTimeout: defer("timeout"),
  SlowDown: defer("throttled"),
  ServiceUnavailable: defer("throttled"),
  Throttling: defer("throttled"),
  ThrottlingException: defer("throttled"),
  TooManyRequests: defer("throttled"),
  InternalError: defer("server-error", true),
  // Two conditional writes of one key met: the next attempt finds out who won.
  ConditionalRequestConflict: defer("other"),
  OperationAborted: defer("other"),
  // The upload is gone (expired, or completed by an attempt whose answer was lost): the next attempt looks first.
  NoSuchUpload: defer("other", true),
  BadDigest: defer("other"),
  IncompleteBody: defer("connection-reset"),
  XAmzContentSHA256Mismatch: defer("other"),
  ExpiredToken: reject("unauthorised"),
  InvalidToken: reject("unauthorised"),
  InvalidAccessKeyId: reject("unauthorised"),
  SignatureDoesNotMatch: reject("unauthorised"),
  AuthorizationHeaderMalformed: reject("invalid-settings"),
  IllegalLocationConstraintException: reject("invalid-settings"),
  InvalidBucketName: reject("invalid-settings"),
  KeyTooLongError: reject("invalid-settings"),
  NoSuchBucket: reject("not-found"),
  PermanentRedirect: reject("redirect"),
  EntityTooLarge: reject("data"),
};

const adviceOf: Readonly<Record<string, string>> = {
  RequestTimeTooSkewed: "the clocks of this machine and of the store differ by more than 15 minutes; check NTP",
  ExpiredToken: "the session token has expired",
  InvalidAccessKeyId: "the store does not know this accessKeyId",
  SignatureDoesNotMatch: "the secretAccessKey does not match the accessKeyId",
  AuthorizationHeaderMalformed: "check region",
  PermanentRedirect: "the bucket is in another region; check endpoint and region",
  NoSuchBucket: "the bucket does not exist",
};
