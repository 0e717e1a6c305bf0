import type { IncomingMessage } from "node:http";
import { pathOf } from "../api/access.ts";
import type { Refusal } from "../api/bounded-server.ts";
import type { RoutedAnswer } from "../api/routed-request.ts";
import type { KnownAnswers } from "./known-answers.ts";
import type { MainLine } from "./main-line.ts";

/** Whatever is not a read: the main thread answers, or nobody does. */

const bodyBytesMax = 1_048_576;
const writeMillisMax = 30_000;
/** The control process has a snapshot of a million jobs to make first: longer than a node waits for it. */
const configMillisMax = 110_000;

/** What of bodies is in memory. */
const bodiesBytesMax = 33_554_432;
/** So many loose parts become one: a body sent in chunks of one byte must not weigh a hundred times what it holds. */
const loosePartsMax = 4_096;

export interface WriteOptions {
  readonly line: MainLine;
  readonly known: KnownAnswers;
  readonly bodies: Bodies;
}

/** Calls back once, unless the client goes away before its body has come. */
export const passWrite = (
  { bodies, known, line }: WriteOptions,
  request: IncomingMessage,
  reply: (reply: RoutedAnswer | Refusal) => void,
): void => {
  const url = request.url ?? "/";
  bodies.read(request, (body) => {
    if ("code" in body) return reply(body);
    const { method = "GET" } = request;
    const asked = { method, url, headers: headersOf(request), body: body.byteLength === 0 ? undefined : body };
    let waiting = true;
    const millisMax = millisMaxOf(pathOf(url));
    const id = line.ask(asked, (answer) => {
      // There is no such thing to write to: nothing that is known can have changed.
      if (answer.status !== 404 && answer.status !== 405) known.written(url);
      if (waiting) reply(answer);
      waiting = false;
      clearTimeout(timer);
    });
    // No effect runs on this thread.
    // @effect-diagnostics-next-line globalTimers:off
    const timer = setTimeout(() => {
      if (waiting) reply(lateAfter(millisMax));
      waiting = false;
    }, millisMax);
    if (id !== undefined) return;
    clearTimeout(timer);
    reply(crowded);
  });
};

/** Reads bodies, bounded one by one and all together. */
export class Bodies {
  private bytes = 0;

  /** A body that breaks off calls nobody back: there is nobody to answer. */
  read(request: IncomingMessage, done: (body: Uint8Array<ArrayBuffer> | Refusal) => void): void {
    const parts: Array<Buffer> = [];
    let held = 0;
    let finished = false;
    const finish = (outcome: Uint8Array<ArrayBuffer> | Refusal) => {
      if (finished) return;
      finished = true;
      done(outcome);
    };
    const release = () => {
      this.bytes -= held;
      held = 0;
      parts.length = 0;
    };
    // What comes after a refusal is read and dropped, so that the client gets to read the answer.
    request.on("data", (part: Buffer) => {
      if (finished) return;
      const isTooLarge = held + part.byteLength > bodyBytesMax;
      if (isTooLarge || this.bytes + part.byteLength > bodiesBytesMax) {
        release();
        return finish(isTooLarge ? tooLarge : crowded);
      }
      held += part.byteLength;
      this.bytes += part.byteLength;
      parts.push(part);
      if (parts.length >= loosePartsMax) parts.splice(0, parts.length, Buffer.concat(parts));
    });
    request.once("end", () => {
      if (finished) return;
      // A memory of its own: it is given away to the other thread.
      const body = new Uint8Array(Buffer.concat(parts));
      release();
      finish(body);
    });
    request.once("close", release);
  }
}

const tooLarge = { status: 413, code: "too_large", message: `A body must not exceed ${bodyBytesMax} bytes here.` };

export const crowded = {
  status: 503,
  code: "busy",
  message: "Too many requests wait for the main thread (controlInFlightMax): come again in a second.",
};

export const millisMaxOf = (path: string): number =>
  path.startsWith("/v1/config/") ? configMillisMax : writeMillisMax;

const lateAfter = (millisMax: number) => ({
  status: 503,
  code: "unavailable",
  message: `The main thread has not answered within ${millisMax / 1_000} s; it may still do what was asked: look before you repeat.`,
});

const notPassed = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
]);

/** Credentials have been looked at already; what concerns the connection ends with it. */
const headersOf = (request: IncomingMessage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      notPassed.has(name) || typeof value !== "string" ? [] : [[name, value]],
    ),
  );
