import { STATUS_CODES } from "node:http";
import {
  classifyException,
  classifyStatus,
  delivered,
  parseRetryAfter,
  type PushOutcome,
} from "../../domain/push-outcome.ts";
import { oneLine } from "../detail.ts";
import { type Exchange, headerOf } from "../exchange.ts";

/**
 * The outcome of a POST. The status decides, even when the answer's body is then cut or drips past the deadline: a 2xx
 * says that the batch was taken, and to send it again because of what follows would only make duplicates, for a server
 * that always closes early without end.
 *
 * The answer's body and reason phrase are never quoted: a receiver may echo records or credentials in them.
 */
export const classifyHttp = (result: Exchange, host: string, nowMillis: number): PushOutcome => {
  if (result._tag === "Failed") {
    return classifyException(result.code, oneLine(`${host}: ${result.message}`), result.sent);
  }
  const { status } = result;
  if (status >= 200 && status < 300) return delivered(status);
  const detail = oneLine(`${host} answered ${status} ${STATUS_CODES[status] ?? ""}`);
  return classifyStatus(status, parseRetryAfter(headerOf(result, "retry-after"), nowMillis), detail);
};
