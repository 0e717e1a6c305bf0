import type { IncomingMessage } from "node:http";
import type { Place } from "./admission.ts";
import { joinBody } from "./body-memory.ts";
import { bodyTooLarge, nodeBusy, RequestRefused } from "./request-refused.ts";

export interface ReadLimits {
  readonly requestReadMillisMax: number;
}

/** So many loose parts become one: a body sent in chunks of one byte must not weigh a hundred times what it holds. */
const loosePartsMax = 4_096;

/**
 * Reads the body off the wire, bounded in bytes and time. Calls back exactly once; what comes after that is not kept.
 *
 * @param bytesMax of the body as it is sent, compressed or not
 * @param place grows with a body whose length was not announced
 */
export const readBody = (
  request: IncomingMessage,
  bytesMax: number,
  limits: ReadLimits,
  place: Place,
  done: (result: Buffer | RequestRefused) => void,
): void => {
  const announced = request.headers["content-length"] !== undefined;
  const parts: Array<Buffer> = [];
  /** How many of the parts were joined already. */
  let joined = 0;
  let bytes = 0;
  let finished = false;
  const finish = (result: Buffer | RequestRefused) => {
    if (finished) return;
    finished = true;
    clearTimeout(timer);
    request.off("data", onData);
    // The listeners below live as long as the request, which may linger for a while after a refusal.
    parts.length = 0;
    done(result);
  };
  const onData = (part: Buffer) => {
    bytes += part.length;
    if (bytes > bytesMax) return finish(bodyTooLarge(bytesMax, "body"));
    if (!announced && !place.hold(bytes)) return finish(nodeBusy("Too many bytes are in flight on this node.", 1));
    parts.push(part);
    if (parts.length - joined === loosePartsMax) {
      parts.push(Buffer.concat(parts.splice(joined)));
      joined = parts.length;
    }
  };
  // Node's own timer: the request is Node's, and no effect runs yet.
  // @effect-diagnostics-next-line globalTimers:off
  const timer = setTimeout(() => finish(tooSlow(limits.requestReadMillisMax)), limits.requestReadMillisMax);
  request.on("data", onData);
  request.once("end", () => {
    // A body that was refused already must not take memory once more when its rest has been thrown away.
    if (!finished) finish(joinBody(parts, bytes));
  });
  request.once("error", () => finish(aborted));
  request.once("close", () => finish(aborted));
};

const aborted = new RequestRefused(400, "body_aborted", "The connection ended before the body: nothing was stored.");

const tooSlow = (millisMax: number) =>
  new RequestRefused(
    408,
    "body_too_slow",
    `The body did not arrive within ${millisMax} ms: nothing of it was stored. Send smaller bodies.`,
  );
