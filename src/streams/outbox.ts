import { Clock, Deferred, Effect, Layer, type Scope } from "effect";
import { randomBytes } from "node:crypto";
import { Jobs } from "../actors/ports/jobs.ts";
import { AckTimeout, Outbox, OutboxFull, type OutboxPiece } from "../actors/ports/outbox.ts";
import { apiCodes, storeAtomically, type StreamMessage } from "./atomic-batch.ts";
import { compose, compress, type KeyedPart, Numbering } from "./compose.ts";
import { Gather, type GatherLimits, type Latch, type Planned } from "./gather.ts";
import { Nats } from "./nats.ts";
import { WriteHints } from "./write-hints.ts";

export interface OutboxOptions extends GatherLimits {
  readonly partitions: number;
  readonly outboxBytesMax: number;
  readonly publishAckMillisMax: number;
  readonly requestAckMillisMax: number;
}

/** A keyed request's part in one partition: a write of its own, or several when one atomic batch cannot take it. */
interface KeyedWrite extends KeyedPart {
  readonly plan: ReadonlyArray<Planned>;
}

interface PartitionOutbox {
  readonly partition: number;
  readonly gather: Gather;
  readonly keyed: Array<KeyedWrite>;
  readonly numbering: Numbering;
  /** Completed when there may be something to write. */
  wake: Deferred.Deferred<void>;
}

/** How long a request waits for room before it is told to come again. */
const roomMillisMax = 5_000;
const resendMillis = { first: 50, max: 2_000 };

/**
 * The way into the log. Per partition there is one write in flight, an atomic batch or one message; what comes
 * meanwhile
 * gathers and is the next write. A write is repeated, identical, until JetStream says that it is stored: never
 * abandoned,
 * because a running number that is missing from the log means loss.
 */
export const layerOutbox = (options: OutboxOptions): Layer.Layer<Outbox, never, Nats | Jobs | WriteHints> =>
  Layer.effect(Outbox, makeOutbox(options));

const makeOutbox = Effect.fnUntraced(function* (options: OutboxOptions) {
  const jobs = yield* Jobs;
  const incarnation = randomBytes(8).toString("hex");
  const room = { bytes: 0, freed: yield* Deferred.make<void>() };
  const release = (bytes: number) => {
    room.bytes -= bytes;
    const freed = room.freed;
    room.freed = Deferred.makeUnsafe<void>();
    Deferred.doneUnsafe(freed, Effect.void);
  };
  const partitions = Array.from({ length: options.partitions }, (_, partition): PartitionOutbox => ({
    partition,
    gather: new Gather(options),
    keyed: [],
    numbering: new Numbering(incarnation),
    wake: Deferred.makeUnsafe<void>(),
  }));
  yield* Effect.forEach(partitions, (each) => Effect.forkScoped(writeLoop(each, options)), { discard: true });

  const takeRoom = Effect.fnUntraced(function* (bytes: number) {
    const deadline = (yield* Clock.currentTimeMillis) + roomMillisMax;
    // An empty outbox takes anything: one request may be larger than what is left after limits were lowered.
    while (room.bytes > 0 && room.bytes + bytes > options.outboxBytesMax) {
      const left = deadline - (yield* Clock.currentTimeMillis);
      if (left <= 0) return yield* new OutboxFull({ retryAfterSeconds: 1 });
      yield* Deferred.await(room.freed).pipe(Effect.timeoutOption(left));
    }
    room.bytes += bytes;
  });

  const enqueue = (pieces: ReadonlyArray<OutboxPiece>, key: string | undefined, latch: Latch) => {
    if (key === undefined) {
      for (const piece of pieces) partitions[piece.pair.partition]!.gather.add(piece, latch);
    } else {
      for (const [partition, own] of Map.groupBy(pieces, ({ pair }) => pair.partition)) {
        const gather = new Gather({
          ...options,
          outboxWriteMessagesMax: 1_000,
          outboxWriteBytesMax: Number.MAX_SAFE_INTEGER,
        });
        for (const piece of own) gather.add(piece, latch);
        for (let firstMessage = 0; !gather.isEmpty();) {
          const plan = gather.take();
          partitions[partition]!.keyed.push({ key, firstMessage, plan });
          firstMessage += plan.length;
        }
      }
    }
    for (const partition of new Set(pieces.map(({ pair }) => pair.partition))) {
      Deferred.doneUnsafe(partitions[partition]!.wake, Effect.void);
    }
  };

  const write = Effect.fnUntraced(function* (pieces: ReadonlyArray<OutboxPiece>, key: string | undefined) {
    if (pieces.length === 0) return;
    const bytes = pieces.reduce((sum, { data }) => sum + data.length, 0);
    yield* takeRoom(bytes);
    // The second gate, separate from the forwarder's: only pairs of the served job set get into the log, whatever the
    // caller believes. The producer comes again and finds its records counted as unconfigured.
    const { pairs } = jobs.served();
    if (!pieces.every(({ pair }) => pairs.has(pair.key))) {
      release(bytes);
      return yield* new OutboxFull({ retryAfterSeconds: 1 });
    }
    const landed = Deferred.makeUnsafe<void>();
    const latch: Latch = {
      // One more than the chunks, taken back below, so that no chunk can finish the latch while it is being set.
      remaining: 1,
      done: () => {
        release(bytes);
        Deferred.doneUnsafe(landed, Effect.void);
      },
    };
    enqueue(pieces, key, latch);
    countDown(latch);
    yield* Deferred.await(landed).pipe(
      Effect.timeoutOrElse({
        duration: options.requestAckMillisMax,
        orElse: () => Effect.fail(new AckTimeout({ retryAfterSeconds: 1 })),
      }),
    );
  });

  return Outbox.of({ write, bytes: () => room.bytes });
});

const countDown = (latch: Latch) => {
  latch.remaining -= 1;
  if (latch.remaining === 0) latch.done();
};

/** Writes what gathered, one write after the other, for as long as the outbox lives. */
const writeLoop = (
  outbox: PartitionOutbox,
  options: OutboxOptions,
): Effect.Effect<never, never, Nats | Jobs | WriteHints | Scope.Scope> =>
  Effect.gen(function* () {
    const hints = yield* WriteHints;
    const jobs = yield* Jobs;
    let keyedBefore = false;
    while (true) {
      if (outbox.gather.isEmpty() && outbox.keyed.length === 0) {
        yield* Deferred.await(outbox.wake);
        outbox.wake = Deferred.makeUnsafe<void>();
        continue;
      }
      // Turn about, so that neither keyed nor unkeyed requests can starve the other.
      const keyed: KeyedWrite | undefined = keyedBefore && !outbox.gather.isEmpty() ? undefined : outbox.keyed.shift();
      keyedBefore = keyed !== undefined;
      const plan = keyed?.plan ?? outbox.gather.take();
      const bodies = yield* Effect.promise(() => compress(plan));
      const messages = compose(outbox.partition, plan, bodies, outbox.numbering, jobs.served().number, keyed);
      const duplicate = yield* storeUntilLanded(outbox.partition, messages, options);
      if (duplicate && keyed !== undefined) outbox.numbering.forget(messages.length);
      hints.wrote(outbox.partition);
      for (const message of plan) {
        for (const chunk of message.kind === "plain" ? [message.chunk] : message.chunks)
          chunk.latches.forEach(countDown);
      }
    }
  });

/** Repeats the identical write until it is stored. Answers whether JetStream knew the message ids before. */
const storeUntilLanded = Effect.fnUntraced(function* (
  partition: number,
  messages: ReadonlyArray<StreamMessage>,
  options: OutboxOptions,
) {
  const { publish } = yield* Nats;
  for (let attempt = 1; ; attempt++) {
    const outcome = yield* storeAtomically(publish, messages, {
      batchId: randomBytes(12).toString("hex"),
      timeoutMillis: options.publishAckMillisMax,
    }).pipe(
      Effect.map(({ duplicate }) => ({ landed: true, duplicate })),
      Effect.catchTag("StreamRefused", ({ code, description }) =>
        code === apiCodes.batchDuplicate
          ? Effect.succeed({ landed: true, duplicate: true })
          : Effect.as(
              Effect.logWarning("The log refused a write; it is repeated.", { partition, attempt, code, description }),
              { landed: false, duplicate: false },
            ),
      ),
      Effect.catchTag("StreamSilent", ({ detail }) =>
        Effect.as(Effect.logWarning("The log did not answer; the write is repeated.", { partition, attempt, detail }), {
          landed: false,
          duplicate: false,
        }),
      ),
    );
    if (outcome.landed) return outcome.duplicate;
    yield* Effect.sleep(Math.min(resendMillis.max, resendMillis.first * 2 ** Math.min(attempt - 1, 10)));
  }
});
