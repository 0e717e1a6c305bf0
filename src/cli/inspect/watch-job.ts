import { Cause, Effect, Queue } from "effect";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { closings, inspectPath, inspectProtocol } from "../../observability/inspection/protocol.ts";
import { readAnswerText } from "../answer-body.ts";
import { describeAnswer, describeNetworkError } from "../client.ts";
import { type CommandFailure, failed } from "../command-failure.ts";
import { authorizationOf, type Connection } from "../connection.ts";

/** A definition is the largest frame, some 20 KB. */
const frameBytesMax = 4 * 1_048_576;
const handshakeMillisMax = 10_000;
const refusalBytesMax = 65_536;
/** Frames that wait for a slow terminal; the node does not send faster than its own limit for long. */
const frameQueueMax = 10_000;

/** Hands over one frame after the other, as text, until the node ends it or the watcher is interrupted. */
export const watchJob = Effect.fnUntraced(function* (
  connection: Connection,
  job: string,
  take: (frame: string) => Effect.Effect<void>,
) {
  const frames = yield* Queue.sliding<string, CommandFailure>(frameQueueMax);
  yield* Effect.acquireRelease(
    Effect.sync(() => openSocket(connection, job, frames)),
    (socket) => Effect.sync(() => socket.terminate()),
  );
  for (;;) yield* take(yield* Queue.take(frames));
});

const openSocket = (connection: Connection, job: string, frames: Queue.Queue<string, CommandFailure>): WebSocket => {
  const fail = (message: string): void => void Queue.failCauseUnsafe(frames, Cause.fail(failed(message)));
  const socket = new WebSocket(`${connection.url.replace(/^http/, "ws")}${inspectPath(job)}`, [inspectProtocol], {
    headers: authorizationOf(connection),
    handshakeTimeout: handshakeMillisMax,
    maxPayload: frameBytesMax,
    perMessageDeflate: false,
  });
  socket.on("message", (data: Buffer) => void Queue.offerUnsafe(frames, data.toString()));
  socket.on("unexpected-response", (_, response: IncomingMessage) => {
    void refusalOf(response, connection).then(fail, () => fail("the node refused without saying why"));
  });
  socket.on("error", (error) => fail(describeNetworkError(error, connection.url)));
  socket.on("close", (code, reason) => {
    const why = reason.toString();
    if (code === closings.gone || code === closings.tooMany) fail(why);
    else fail(`the connection to ${connection.url} ended${why === "" ? "" : `: ${why}`}`);
  });
  return socket;
};

const refusalOf = async (response: IncomingMessage, connection: Connection): Promise<string> => {
  const text = await readAnswerText(response, refusalBytesMax);
  if (response.statusCode === 404) return `${connection.url} cannot be inspected: is its Spillway of this release?`;
  const body: unknown = text.startsWith("{") ? JSON.parse(text) : undefined;
  return describeAnswer({ status: response.statusCode ?? 0, body }, connection);
};
