import { createInbox, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { Effect, Schema } from "effect";

/** The stream, or a replica of it, did not answer a Direct Get in full. Nothing of a partial answer is used. */
export class DirectGetFailed extends Schema.TaggedError<DirectGetFailed>()("DirectGetFailed", {
  detail: Schema.String,
}) {}

export interface DirectGetRequest {
  readonly stream: string;
  /** First sequence wanted; the answer begins at the first one that exists from here on. */
  readonly sequence: number;
  readonly messagesMax: number;
  /** The server has no flow control here: without this bound it sends up to 64 MB at once. */
  readonly bytesMax: number;
  readonly timeoutMillis: number;
  /** Only messages of these subjects (the server reads the others all the same). */
  readonly subject?: string;
}

/** One stored message as a Direct Get gives it. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly millis: number;
  readonly data: Uint8Array;
}

/**
 * A batch of messages in sequence, straight from the store, without a consumer. Written out because the client's
 * iterator leaks its subscription for seconds and throws after a complete but slow read. Empty: nothing there (yet).
 */
export const directGet = (
  connection: NatsConnection,
  request: DirectGetRequest,
): Effect.Effect<ReadonlyArray<StoredMessage>, DirectGetFailed> =>
  Effect.callback<ReadonlyArray<StoredMessage>, DirectGetFailed>((resume) => {
    const messages: Array<StoredMessage> = [];
    const inbox = createInbox();
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        const end = error === null ? take(message, messages) : error.message;
        if (end === undefined) return;
        subscription.unsubscribe();
        resume(end === true ? Effect.succeed(messages) : Effect.fail(new DirectGetFailed({ detail: end })));
      },
    });
    connection.publish(
      `$JS.API.DIRECT.GET.${request.stream}`,
      JSON.stringify({
        seq: request.sequence,
        batch: request.messagesMax,
        max_bytes: request.bytesMax,
        ...(request.subject === undefined ? {} : { next_by_subj: request.subject }),
      }),
      { reply: inbox },
    );
    return Effect.sync(() => subscription.unsubscribe());
  }).pipe(
    // A replica that dies in the middle never sends the end; the connection may be down, and loses what is published.
    Effect.timeoutOrElse({
      duration: request.timeoutMillis,
      orElse: () => Effect.fail(new DirectGetFailed({ detail: `no answer in ${request.timeoutMillis} ms` })),
    }),
  );

/** Keeps a message; answers `true` at the end of the batch, a text for an error, undefined to go on. */
const take = (message: Msg, messages: Array<StoredMessage>): true | string | undefined => {
  const headers = message.headers;
  if (headers === undefined) return "an answer without headers";
  if (headers.code === 204 || headers.code === 404) return true;
  if (headers.code >= 300) return `${headers.code} ${headers.description}`;
  messages.push({
    sequence: Number(headers.get("Nats-Sequence")),
    subject: headers.get("Nats-Subject"),
    millis: Date.parse(headers.get("Nats-Time-Stamp")),
    data: message.data,
  });
  return undefined;
};
