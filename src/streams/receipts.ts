import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { Clock, Effect, Schema } from "effect";
import type { Receipt } from "../actors/ports/checkpoints.ts";
import { decodeReceipt } from "./checkpoint-codec.ts";
import { directGet } from "./direct-get.ts";
import { attempt, Nats } from "./nats.ts";
import { controlStream, receiptsOfJob, receiptSubjects } from "./subjects.ts";

/** The control streams do not answer. */
export class ReceiptsUnavailable extends Schema.TaggedError<ReceiptsUnavailable>()("ReceiptsUnavailable", {
  detail: Schema.String,
}) {}

/** Where a receipt is stored. Pages go from place to place: partition by partition, in each the oldest first. */
export interface ReceiptPlace {
  readonly partition: number;
  readonly sequence: number;
}

export interface StoredReceipt extends ReceiptPlace {
  readonly receipt: Receipt;
}

export interface ReceiptQuery {
  /** Only after this place. */
  readonly after: ReceiptPlace | undefined;
  readonly limit: number;
  /** An id; it becomes a part of a subject. */
  readonly job: string | undefined;
  readonly matches: (receipt: Receipt) => boolean;
}

export interface ReceiptPage {
  readonly receipts: ReadonlyArray<StoredReceipt>;
  /** Where to go on; undefined: there are no more. A page may be short, or empty, and have a next. */
  readonly next: ReceiptPlace | undefined;
}

export interface ReceiptsOptions {
  readonly partitions: number;
  readonly readBytesMax: number;
  readonly timeoutMillis: number;
}

/** One page looks at receipts for about so long, then says where to go on. */
const pageMillisMax = 2_000;
/** Receipts in one read: small, so that what is read beyond the end of a page is little. */
const readMessages = 1_000;

/** Receipts as they are stored in the control streams, beside rows that may be a million times as many. */
export const makeReceipts = Effect.fnUntraced(function* (options: ReceiptsOptions) {
  const { control } = yield* Nats;
  // Not asked whether JetStream is there: a node may start while no leader is.
  const manager = yield* attempt("manage", () =>
    jetstreamManager(control, { checkAPI: false, timeout: options.timeoutMillis }),
  ).pipe(Effect.orDie);

  /** Stored receipts from a sequence on; the server skips everything between them by its index of subjects. */
  const read = (partition: number, sequence: number, subject: string) =>
    directGet(control, {
      stream: controlStream(partition),
      sequence,
      subject,
      messagesMax: readMessages,
      bytesMax: options.readBytesMax,
      timeoutMillis: options.timeoutMillis,
    }).pipe(Effect.mapError(({ detail }) => new ReceiptsUnavailable({ detail })));

  const list = Effect.fn("Receipts.list")(function* (
    query: ReceiptQuery,
  ): Effect.fn.Return<ReceiptPage, ReceiptsUnavailable> {
    const until = (yield* Clock.currentTimeMillis) + pageMillisMax;
    const receipts: Array<StoredReceipt> = [];
    let { partition, sequence } = query.after ?? { partition: 0, sequence: 0 };
    while (partition < options.partitions) {
      const subject = query.job === undefined ? receiptSubjects(partition) : receiptsOfJob(partition, query.job);
      const messages = yield* read(partition, sequence + 1, subject);
      for (const message of messages) {
        if (receipts.length === query.limit) return { receipts, next: { partition, sequence } };
        sequence = message.sequence;
        const receipt = decodeReceipt(message.data);
        if (receipt !== undefined && query.matches(receipt)) receipts.push({ partition, sequence, receipt });
      }
      // An empty answer is the end of a stream; a short one may also be the end of what fits in an answer.
      if (messages.length === 0) {
        partition += 1;
        sequence = 0;
      }
      const isOver = partition < options.partitions && (yield* Clock.currentTimeMillis) > until;
      if (isOver) return { receipts, next: { partition, sequence } };
    }
    return { receipts, next: undefined };
  });

  /** Removes the receipts of a partition that were stored before a time. Answers how many. */
  const expire = Effect.fn("Receipts.expire")(function* (
    partition: number,
    beforeMillis: number,
  ): Effect.fn.Return<number, ReceiptsUnavailable> {
    const keepFrom = yield* firstSince(read, partition, beforeMillis);
    return keepFrom === undefined ? 0 : yield* purgeBefore(manager, partition, keepFrom);
  });

  return { list, expire };
});
export type Receipts = Effect.Success<ReturnType<typeof makeReceipts>>;

type Read = (
  partition: number,
  sequence: number,
  subject: string,
) => ReturnType<typeof directGet> extends Effect.Effect<infer A, infer _E>
  ? Effect.Effect<A, ReceiptsUnavailable>
  : never;

/** The sequence before which every receipt is older than a time; undefined when none is. */
const firstSince = Effect.fnUntraced(function* (read: Read, partition: number, millis: number) {
  let old: number | undefined;
  while (true) {
    const messages = yield* read(partition, (old ?? 0) + 1, receiptSubjects(partition));
    for (const message of messages) {
      if (message.millis >= millis) return old === undefined ? undefined : old + 1;
      old = message.sequence;
    }
    if (messages.length === 0) return old === undefined ? undefined : old + 1;
  }
});

/** Only what the filter names: register and rows have other subjects. */
const purgeBefore = (manager: JetStreamManager, partition: number, sequence: number) =>
  attempt("manage", () =>
    manager.streams.purge(controlStream(partition), { filter: receiptSubjects(partition), seq: sequence }),
  ).pipe(
    Effect.map(({ purged }) => purged),
    Effect.mapError(({ detail }) => new ReceiptsUnavailable({ detail })),
  );
