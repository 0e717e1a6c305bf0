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
import { type BufferEmitted, type BufferInput, bufferMachine } from "./machine.ts";
import { closeDestination, makePushLogic, type PushOptions, type Running } from "./push.ts";
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
  // Provided once for the process: `provide` per buffer would cost 13 KB and 70 µs each.
  const machine = bufferMachine.provide({ actors: { pushBatch: yield* makePushLogic(options, running) } });
  const context = yield* Effect.context();
  const clock = clockFrom(context);
  const scope = yield* Effect.scope;
  const runFork = Effect.runForkWith(context);
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
      ref.on("*", (fact) => {
        try {
          react(each, fact, context, (effect) => void runFork(effect));
        } catch (cause) {
          // What a listener throws XState rethrows globally: a defect of this buffer would end the node.
          ref.stop();
          runFork(Effect.forkIn(crashed(each, cause), scope));
        }
      });
      buffer.actor = {
        send: (event) => ref.send(event),
        delivery: () => ref.getSnapshot().value.delivery,
        context: () => ref.getSnapshot().context,
        stop: () => void ref.stop(),
      };
      ref.start();
      ref.send({ type: "buffer.resumed", nowMillis: yield* Clock.currentTimeMillis });
      buffer.pump();
    });

  const crashed = Effect.fnUntraced(function* (each: Running, cause: unknown) {
    const { buffer } = each;
    buffer.actor = undefined;
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
    yield* closeDestination(each);
  });

  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running.values()], ({ buffer }) => stop(buffer), { discard: true }),
  );

  return BufferActors.of({
    start: Effect.fnUntraced(function* (buffer, incarnation, saved, revised) {
      const each: Running = { buffer, incarnation, open: undefined };
      running.set(buffer.jobId, each);
      yield* launch(each, saved, revised);
    }),
    stop,
  });
});

/** The machine states facts; here they become the buffer's state, metrics and one log line per push. */
const react = (
  each: Running,
  fact: BufferEmitted,
  context: Context.Context<never>,
  run: (effect: Effect.Effect<void>) => void,
): void => {
  const { buffer } = each;
  switch (fact.type) {
    case "push.finished":
      buffer.finished(fact.answer);
      measure(each, fact, context);
      return run(report(each, fact));
    case "batch.settled":
      return buffer.settle(fact.batch);
    case "batch.abandoned":
      if (fact.ambiguous) {
        run(
          Effect.logWarning("A batch is cut anew under a new revision; the destination may hold it already.", {
            job: buffer.jobId,
            first: fact.batch.first,
            last: fact.batch.last,
          }),
        );
      }
      return;
    case "revision.adoptable":
      buffer.adoptNewest();
      return run(closeDestination(each));
    case "buffer.drained":
      return;
  }
};

type PushFinished = Extract<BufferEmitted, { type: "push.finished" }>;

/** Without an effect each: there are thousands of pushes a second. */
const measure = ({ buffer }: Running, { answer, batch }: PushFinished, context: Context.Context<never>): void => {
  const { kind } = buffer.effective.job.destination;
  pushesOf(kind, answer.outcome).updateUnsafe(1, context);
  pushSecondsTo(kind).updateUnsafe(answer.durationMillis / 1_000, context);
  if (answer.outcome._tag !== "Delivered") return;
  recordsDeliveredTo(kind).updateUnsafe(batch.records, context);
  pushBytesTo(kind).updateUnsafe(answer.bodyBytes, context);
};

/** One canonical line per push. */
const report = (
  { buffer }: Running,
  { answer, attempt, batch, nextDelayMillis }: PushFinished,
): Effect.Effect<void> => {
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
