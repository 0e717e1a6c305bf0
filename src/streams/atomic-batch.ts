import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { Effect, Schema } from "effect";

/** JetStream's error codes that we act on; everything else is retried. */
export const apiCodes = {
  wrongLastSequence: 10_071,
  casInProcess: 10_164,
  batchIncomplete: 10_176,
  batchTooLarge: 10_199,
  batchDuplicate: 10_201,
} as const;

/** JetStream refused the message or the batch. `code` is its `err_code`. */
export class StreamRefused extends Schema.TaggedError<StreamRefused>()("StreamRefused", {
  code: Schema.Int,
  description: Schema.String,
}) {}

/** No answer: it may have been stored or not. */
export class StreamSilent extends Schema.TaggedError<StreamSilent>()("StreamSilent", { detail: Schema.String }) {}

export interface StreamMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly messageId?: string | undefined;
  /** Only while the last message on this very subject has this sequence (0: there is none) may the write happen. */
  readonly lastSequence?: number | undefined;
  /** Stored with it. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Stored {
  /** Sequence of the (last) message. */
  readonly sequence: number;
  readonly duplicate: boolean;
}

/** Only while the last message on `subject` has this sequence (0: there is none) may the write happen. */
export interface Guard {
  readonly subject: string;
  readonly lastSequence: number;
}

interface Answer {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code: number; readonly description: string };
}

/**
 * Stores the messages all or nothing: one plain publish, or one atomic batch (up to 1,000 messages, four fsyncs).
 * Written
 * out because the client's own batch drops expectations and message ids and hides why a commit was refused.
 *
 * @param batchId names this attempt only: a repeat takes another one, and the same message ids
 */
export const storeAtomically = (
  connection: NatsConnection,
  messages: ReadonlyArray<StreamMessage>,
  options: { readonly batchId: string; readonly timeoutMillis: number; readonly guard?: Guard },
): Effect.Effect<Stored, StreamRefused | StreamSilent> =>
  Effect.tryPromise({
    try: () => {
      const last = messages.length - 1;
      // A batch of one costs more than a plain publish.
      const headersOf = (i: number) =>
        messageHeaders(
          messages[i]!,
          i === 0 ? options.guard : undefined,
          last === 0 ? undefined : { id: options.batchId, i, last },
        );
      for (let i = 0; i < last; i++) {
        connection.publish(messages[i]!.subject, messages[i]!.data, { headers: headersOf(i) });
      }
      return connection.request(messages[last]!.subject, messages[last]!.data, {
        headers: headersOf(last),
        timeout: options.timeoutMillis,
      });
    },
    catch: (cause) => new StreamSilent({ detail: cause instanceof Error ? cause.message : String(cause) }),
  }).pipe(Effect.flatMap((reply) => readAnswer(reply.string())));

const messageHeaders = (
  message: StreamMessage,
  guard: Guard | undefined,
  batch: { readonly id: string; readonly i: number; readonly last: number } | undefined,
): MsgHdrs => {
  const all = headers();
  if (message.headers !== undefined) for (const [name, value] of Object.entries(message.headers)) all.set(name, value);
  if (message.lastSequence !== undefined) all.set("Nats-Expected-Last-Subject-Sequence", String(message.lastSequence));
  if (message.messageId !== undefined) all.set("Nats-Msg-Id", message.messageId);
  if (guard !== undefined) {
    all.set("Nats-Expected-Last-Subject-Sequence", String(guard.lastSequence));
    all.set("Nats-Expected-Last-Subject-Sequence-Subject", guard.subject);
  }
  if (batch !== undefined) {
    all.set("Nats-Batch-Id", batch.id);
    all.set("Nats-Batch-Sequence", String(batch.i + 1));
    if (batch.i === batch.last) all.set("Nats-Batch-Commit", "1");
  }
  return all;
};

const readAnswer = (text: string): Effect.Effect<Stored, StreamRefused | StreamSilent> => {
  const answer = Effect.try({
    try: () => JSON.parse(text) as Answer,
    catch: () => new StreamSilent({ detail: `unreadable answer: ${text.slice(0, 100)}` }),
  });
  return Effect.flatMap(answer, ({ duplicate, error, seq }): Effect.Effect<Stored, StreamRefused | StreamSilent> => {
    if (error !== undefined) {
      return Effect.fail(new StreamRefused({ code: error.err_code, description: error.description }));
    }
    return seq === undefined
      ? Effect.fail(new StreamSilent({ detail: `answer without a sequence: ${text.slice(0, 100)}` }))
      : Effect.succeed({ sequence: seq, duplicate: duplicate === true });
  });
};
