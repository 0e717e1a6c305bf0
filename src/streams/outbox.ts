import { Clock, Deferred, Effect, Layer, type Scope } from "effect";
import { randomBytes } from "node:crypto";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import { Jobs, type JobSet } from "../actors/ports/jobs.ts";
import { AckTimeout, NotServed, Outbox, OutboxFull, type RecordSpans } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";
import { apiCodes, storeAtomically, type StreamMessage } from "./atomic-batch.ts";
import { compose, compress, type KeyedPart, Numbering } from "./compose.ts";
import { Gather, type GatherLimits, type Latch, type Plan } from "./gather.ts";
import { Nats } from "./nats.ts";
import { WriteHints } from "./write-hints.ts";

export interface OutboxOptions extends GatherLimits {
  readonly partitions: number;
  readonly outboxBytesMax: number;
  readonly outboxWriteSpacingMillisMin: number;
  readonly publishAckMillisMax: number;
  readonly requestAckMillisMax: number;
}

/** A keyed request's part in one partition: a write of its own, or several when one atomic batch cannot take it. */
interface KeyedWrite extends KeyedPart {
  readonly plan: Plan;
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
  const drill = yield* DrillFaults;
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
    // By a clock that nobody sets: a request must not wait an hour for room because the other one was.
    const deadline = (yield* steadyMillis) + roomMillisMax;
    // An empty outbox takes anything: one request may be larger than what is left after limits were lowered.
    while (room.bytes > 0 && room.bytes + bytes > options.outboxBytesMax) {
      const left = deadline - (yield* steadyMillis);
      if (left <= 0) return yield* new OutboxFull({ retryAfterSeconds: 1 });
      yield* Deferred.await(room.freed).pipe(Effect.timeoutOption(left));
    }
    room.bytes += bytes;
  });

  const enqueue = (spans: RecordSpans, key: string | undefined, latch: Latch) => {
    const own = new Map<number, Gather>();
    const gatherOf = (partition: number): Gather => {
      let gather = own.get(partition);
      if (gather === undefined) {
        // A keyed request gathers by itself: its messages must not depend on what else is under way.
        gather = key === undefined ? partitions[partition]!.gather : new Gather({ ...options, ...keyedLimits });
        own.set(partition, gather);
      }
      return gather;
    };
    for (let i = 0; i < spans.pairs.length; i++) gatherOf(spans.pairs[i]!.partition).add(spans, i, latch);
    for (const [partition, gather] of own) {
      if (key !== undefined) partitions[partition]!.keyed.push(...keyedWrites(key, gather));
      Deferred.doneUnsafe(partitions[partition]!.wake, Effect.void);
    }
  };

  const write = Effect.fnUntraced(function* (spans: RecordSpans, key: string | undefined) {
    if (spans.pairs.length === 0) return;
    const { bytes } = spans;
    yield* takeRoom(bytes);
    // The second gate, separate from the forwarder's: only pairs of the served job set get into the log, whatever the
    // caller believes.
    if (!areServed(spans, jobs.served()) && drill.isGuardOn("outboxGate")) {
      release(bytes);
      return yield* new NotServed();
    }
    const landed = Deferred.makeUnsafe<void>();
    const latch: Latch = {
      // One more than the partitions, taken back below, so that none can finish the latch while it is being set.
      remaining: 1,
      done: () => {
        release(bytes);
        Deferred.doneUnsafe(landed, Effect.void);
      },
    };
    enqueue(spans, key, latch);
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

/** One atomic batch takes a thousand messages; a keyed request is cut by nothing else. */
const keyedLimits = { outboxWriteMessagesMax: 1_000, outboxWriteBytesMax: Number.MAX_SAFE_INTEGER };

const keyedWrites = (key: string, gather: Gather): ReadonlyArray<KeyedWrite> => {
  const writes: Array<KeyedWrite> = [];
  for (let firstMessage = 0; !gather.isEmpty();) {
    const plan = gather.take();
    writes.push({ key, firstMessage, plan });
    firstMessage += plan.messages.length;
  }
  return writes;
};

const areServed = ({ pairs }: RecordSpans, served: JobSet): boolean => {
  let checked: Pair | undefined;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!;
    if (pair !== checked && !served.pairs.has(pair.key)) return false;
    checked = pair;
  }
  return true;
};

const steadyMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n));

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
    let nextMillis = 0;
    while (true) {
      if (outbox.gather.isEmpty() && outbox.keyed.length === 0) {
        yield* Deferred.await(outbox.wake);
        outbox.wake = Deferred.makeUnsafe<void>();
        continue;
      }
      // Each write costs an fsync and a message's way through the node, however little is in it.
      const early = nextMillis - (yield* steadyMillis);
      if (early > 0) yield* Effect.sleep(early);
      nextMillis = (yield* steadyMillis) + options.outboxWriteSpacingMillisMin;
      // Turn about, so that neither keyed nor unkeyed requests can starve the other.
      const keyed: KeyedWrite | undefined = keyedBefore && !outbox.gather.isEmpty() ? undefined : outbox.keyed.shift();
      keyedBefore = keyed !== undefined;
      const plan = keyed?.plan ?? outbox.gather.take();
      const bodies = yield* Effect.promise(() => compress(plan.messages));
      const messages = compose(outbox.partition, plan.messages, bodies, outbox.numbering, jobs.served().number, keyed);
      const duplicate = yield* storeUntilLanded(outbox.partition, messages, options);
      if (duplicate && keyed !== undefined) outbox.numbering.forget(messages.length);
      hints.wrote(outbox.partition);
      plan.latches.forEach(countDown);
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
