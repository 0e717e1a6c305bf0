import { Clock, Context, Effect, Layer, Metric } from "effect";
import { createActor } from "xstate";
import {
  bufferCrashesTotal,
  pushBytesTo,
  pushesOf,
  pushSecondsTo,
  recordsDeliveredTo,
} from "../../observability/delivery-metrics.ts";
import type { Destinations } from "../ports/destinations.ts";
import { clockFrom } from "../runtime/effect-clock.ts";
import type { Buffer } from "./buffer.ts";
import { type BufferInput, bufferMachine } from "./machine.ts";
import type { PushInput, PushReport } from "../../domain/push-attempt.ts";
import { cancelPush, closeDestination, makeStartPush, type PushOptions, type Running } from "./push.ts";
import { restoreSnapshot } from "./snapshot.ts";

export interface BufferActorsOptions extends PushOptions {
  readonly retryBaseMillis: number;
  readonly retryMillisMax: number;
  readonly oldRevisionAttemptsMax: number;
}

/** Starts and stops the actors of buffers. Each is a root actor: one that crashes takes nobody with it. */
export class BufferActors extends Context.Service<
  BufferActors,
  {
    /** @param saved the row's snapshot; @param revised whether a newer revision waits for the first batch to settle */
    readonly start: (buffer: Buffer, incarnation: string, saved: unknown, revised: boolean) => Effect.Effect<void>;
    readonly stop: (buffer: Buffer) => Effect.Effect<void>;
  }
>()("spillway/actors/buffer/BufferActors") {
  static readonly layer = (options: BufferActorsOptions): Layer.Layer<BufferActors, never, Destinations> =>
    Layer.effect(BufferActors, makeBufferActors(options));
}

/** First and longest wait before a crashed actor is started again. */
const restartMillis = { first: 100, max: 30_000 };

const makeBufferActors = Effect.fnUntraced(function* (options: BufferActorsOptions) {
  const running = new Map<string, Running>();
  const context = yield* Effect.context();
  const clock = clockFrom(context);
  const scope = yield* Effect.scope;
  const runFork = Effect.runForkWith(context);
  const machine = withShell(running, yield* makeStartPush(options), context);
  const input = (job: string): BufferInput => ({
    job,
    retryBaseMillis: options.retryBaseMillis,
    retryMillisMax: options.retryMillisMax,
    oldRevisionAttemptsMax: options.oldRevisionAttemptsMax,
  });

  const launch = (each: Running, saved: unknown, revised: boolean): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { buffer } = each;
      const pending = buffer.ledger.pendingRecords > 0;
      const actorInput = input(buffer.jobId);
      const ref = createActor(machine, {
        id: `buffer/${buffer.jobId}`,
        input: actorInput,
        clock,
        snapshot: restoreSnapshot(saved, actorInput, pending, revised),
      });
      // Without an error observer XState rethrows on the next tick and kills the process.
      ref.subscribe({ error: (cause) => void runFork(Effect.forkIn(crashed(each, cause), scope)) });
      buffer.actor = {
        send: (event) => ref.send(event),
        delivery: () => ref.getSnapshot().value.delivery,
        flow: () => flowOf(ref.getSnapshot().value.flow),
        context: () => ref.getSnapshot().context,
        inspect: (observer) => {
          const subscription = ref.system.inspect(observer);
          return () => subscription.unsubscribe();
        },
        stop: () => void ref.stop(),
      };
      ref.start();
      ref.send({ type: "buffer.resumed", nowMillis: yield* Clock.currentTimeMillis });
      buffer.pump();
    });

  const crashed = Effect.fnUntraced(function* (each: Running, cause: unknown) {
    const { buffer } = each;
    buffer.actor = undefined;
    cancelPush(each);
    buffer.crashes += 1;
    const delay = Math.min(restartMillis.max, restartMillis.first * 2 ** Math.min(buffer.crashes - 1, 16));
    yield* Metric.update(bufferCrashesTotal, 1);
    yield* Effect.logError("A buffer crashed; it starts again from its row.", {
      job: buffer.jobId,
      crashes: buffer.crashes,
      delayMillis: delay,
      cause: cause instanceof Error ? cause.message : String(cause),
    });
    buffer.reset();
    yield* Effect.sleep(delay);
    if (running.get(buffer.jobId) === each) yield* launch(each, undefined, buffer.newest !== buffer.effective);
  });

  const stop = Effect.fnUntraced(function* (buffer: Buffer) {
    const each = running.get(buffer.jobId);
    if (each?.buffer !== buffer) return;
    running.delete(buffer.jobId);
    buffer.actor?.stop();
    buffer.actor = undefined;
    // XState runs no exit actions when an actor is stopped.
    cancelPush(each);
    yield* closeDestination(each);
  });

  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running.values()], ({ buffer }) => stop(buffer), { discard: true }),
  );

  return BufferActors.of({
    start: Effect.fnUntraced(function* (buffer, incarnation, saved, revised) {
      const each: Running = { buffer, incarnation, open: undefined, push: undefined };
      running.set(buffer.jobId, each);
      yield* launch(each, saved, revised);
    }),
    stop,
  });
});

/**
 * Fills the machine's holes: what it decides becomes pushes, the buffer's state, metrics and one log line per push.
 * Provided once for the process: `provide` per buffer would cost 13 KB and 70 µs each. What throws in here crashes the
 * actor that it was done for, and nothing else.
 */
const withShell = (
  running: ReadonlyMap<string, Running>,
  startPush: (each: Running, input: PushInput) => void,
  context: Context.Context<never>,
): typeof bufferMachine => {
  const runFork = Effect.runForkWith(context);
  const of = (job: string): Running => {
    const each = running.get(job);
    if (each === undefined) throw new Error(`${job}: an actor without a buffer`);
    return each;
  };
  return bufferMachine.provide({
    actions: {
      startPush: (_, input) => startPush(of(input.job), input),
      cancelPush: ({ context: { job } }) => cancelPush(of(job)),
      reportPush: ({ context: { job } }, report) => {
        const each = of(job);
        each.buffer.finished(report.answer);
        measure(each, report, context);
        runFork(logPush(each, report));
      },
      reportSettled: ({ context: { job } }, { batch }) => of(job).buffer.settle(batch),
      reportAbandoned: ({ context: { job } }, { ambiguous, batch: { first, last } }) => {
        if (!ambiguous) return;
        const text = "A batch is cut anew under a new revision; the destination may hold it already.";
        runFork(Effect.logWarning(text, { job, first, last }));
      },
      reportAdoptable: ({ context: { job } }) => {
        const each = of(job);
        each.buffer.adoptNewest();
        runFork(closeDestination(each));
      },
    },
  });
};

/** A state of the flow region in one word. */
const flowOf = (value: string | Readonly<Record<string, string | undefined>>): string =>
  typeof value === "string"
    ? value
    : Object.entries(value)
        .map(([parent, child]) => `${parent}.${child}`)
        .join();

/** Without an effect each: there are thousands of pushes a second. */
const measure = ({ buffer }: Running, { answer, batch }: PushReport, context: Context.Context<never>): void => {
  const { kind } = buffer.effective.job.destination;
  pushesOf(kind, answer.outcome).updateUnsafe(1, context);
  pushSecondsTo(kind).updateUnsafe(answer.durationMillis / 1_000, context);
  if (answer.outcome._tag !== "Delivered") return;
  recordsDeliveredTo(kind).updateUnsafe(batch.records, context);
  pushBytesTo(kind).updateUnsafe(answer.bodyBytes, context);
};

/** One canonical line per push. */
const logPush = ({ buffer }: Running, { answer, attempt, batch, nextDelayMillis }: PushReport): Effect.Effect<void> => {
  const { job } = buffer.effective;
  const { outcome } = answer;
  const line = {
    customer: job.customer,
    dataset: job.dataset,
    job: job.id,
    destination: job.destination.kind,
    batch: `${batch.first}-${batch.last}`,
    attempt,
    outcome: outcome._tag,
    ...(outcome._tag === "Delivered" ? {} : { reason: outcome.reason, detail: outcome.detail }),
    status: outcome.status,
    records: batch.records,
    bytes: batch.bytes,
    bodyBytes: answer.bodyBytes,
    closedBy: batch.closedBy,
    durationMillis: answer.durationMillis,
    nextDelayMillis,
  };
  return outcome._tag === "Delivered" ? Effect.logInfo("Batch pushed.", line) : Effect.logWarning("Push failed.", line);
};
