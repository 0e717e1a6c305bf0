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
  /** Of an atomic batch that goes on behind this message: how many of its messages end with this one; else 0. */
  readonly openBatch?: number;
  /** In a KV bucket, that the key is no more. */
  readonly isRemoval?: boolean;
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
  if (takeQuickly(message, messages)) return undefined;
  const headers = message.headers;
  if (headers === undefined) return "an answer without headers";
  if (headers.code === 204 || headers.code === 404) return true;
  if (headers.code >= 300) return `${headers.code} ${headers.description}`;
  messages.push({
    sequence: Number(headers.get("Nats-Sequence")),
    subject: headers.get("Nats-Subject"),
    millis: Date.parse(headers.get("Nats-Time-Stamp")),
    data: message.data,
    openBatch: headers.has(commitHeader) ? 0 : Number(headers.get(batchHeader)),
    isRemoval: message.data.length === 0 && isRemoval(headers.get(operationHeader)),
  });
  return undefined;
};

const batchHeader = "Nats-Batch-Sequence";
const commitHeader = "Nats-Batch-Commit";
const operationHeader = "KV-Operation";
const noStatus = "NATS/1.0\r\n";
const sequenceName = "\r\nNats-Sequence: ";
const subjectName = "\r\nNats-Subject: ";
const timeName = "\r\nNats-Time-Stamp: ";
const batchName = `\r\n${batchHeader}: `;
const operationName = `\r\n${operationHeader}: `;
const commitName = `\r\n${commitHeader}: `;

/**
 * The three headers of a message that was found, without decoding them all: that would be most of what reading a
 * million rows costs. The headers lie before the data, in the same memory. False: it must be looked at closer.
 */
const takeQuickly = (message: Msg, messages: Array<StoredMessage>): boolean => {
  const { data } = message;
  // Not in the interface, but of every message; without it each is looked at closer.
  const size = (message as { readonly size?: () => number }).size?.();
  if (size === undefined) return false;
  const headerBytes = size - message.subject.length - (message.reply?.length ?? 0) - data.length;
  if (headerBytes <= noStatus.length || headerBytes > data.byteOffset) return false;
  const text = Buffer.from(data.buffer, data.byteOffset - headerBytes, headerBytes).toString("latin1");
  if (!text.startsWith(noStatus)) return false;
  const sequence = Number(valueOf(text, sequenceName));
  const subject = valueOf(text, subjectName);
  const millis = Date.parse(valueOf(text, timeName));
  if (!(sequence > 0) || subject === "" || Number.isNaN(millis)) return false;
  // Without the header `valueOf` is empty, and that is 0.
  const openBatch = text.includes(commitName) ? 0 : Number(valueOf(text, batchName));
  // The marker of a removal has no data: a million jobs are not looked at for it.
  const isRemoved = data.length === 0 && isRemoval(valueOf(text, operationName));
  messages.push({ sequence, subject, millis, data, openBatch, isRemoval: isRemoved });
  return true;
};

/** An empty value that somebody stored is a value that does not decode. It removes nothing. */
const isRemoval = (operation: string): boolean => operation !== "" && operation !== "PUT";

/** The last one of the name, as the server's own come after those that were stored. */
const valueOf = (text: string, name: string): string => {
  const at = text.lastIndexOf(name);
  return at === -1 ? "" : text.slice(at + name.length, text.indexOf("\r\n", at + 2)).trim();
};
