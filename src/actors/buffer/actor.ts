import { Clock, Context, Effect, Layer, Metric } from "effect";
import { createActor } from "xstate";
import { bufferCrashesTotal, buffersQuarantinedTotal } from "../../observability/delivery-metrics.ts";
import type { DestinationHosts } from "../destination-host/destination-hosts.ts";
import type { Destinations } from "../ports/destinations.ts";
import { KillSwitches } from "../ports/kill-switches.ts";
import { clockFrom } from "../runtime/effect-clock.ts";
import type { Buffer } from "./buffer.ts";
import { crashText } from "./crash-text.ts";
import { afterCrash, type CrashPolicy } from "./crash-policy.ts";
import { cancelDeadLetter, makeStartDeadLetter } from "./dead-letter.ts";
import type { DeadLetterWriter } from "./dead-letter-writer.ts";
import type { BufferInput } from "./machine.ts";
import { cancelPush, closeDestination, makeStartPush, type Running } from "./push.ts";
import { withShell } from "./shell.ts";
import { resumeHeld } from "./resume-held.ts";
import { quarantinedSnapshot, restoreSnapshot } from "./snapshot.ts";

export interface BufferActorsOptions extends CrashPolicy, Omit<BufferInput, "job"> {}

/** Starts and stops the actors of buffers. Each is a root actor: one that crashes takes nobody with it. */
export class BufferActors extends Context.Service<
  BufferActors,
  {
    /** @param saved the row's snapshot; @param revised whether a newer revision waits for the first batch to settle */
    readonly start: (buffer: Buffer, incarnation: string, saved: unknown, revised: boolean) => Effect.Effect<void>;
    readonly stop: (buffer: Buffer) => Effect.Effect<void>;
    /** The same without an effect, for whoever may not wait: a chunk has come for a buffer that hibernates. */
    readonly startNow: (buffer: Buffer, incarnation: string, saved: unknown, revised: boolean) => void;
    readonly stopNow: (buffer: Buffer) => void;
  }
>()("spillway/actors/buffer/BufferActors") {
  static readonly layer = (
    options: BufferActorsOptions,
  ): Layer.Layer<BufferActors, never, Destinations | DestinationHosts | DeadLetterWriter> =>
    Layer.effect(BufferActors, makeBufferActors(options));
}

const makeBufferActors = Effect.fnUntraced(function* (options: BufferActorsOptions) {
  const running = new Map<string, Running>();
  const context = yield* Effect.context();
  const clock = yield* Clock.Clock;
  const nowMillis = () => clock.currentTimeMillisUnsafe();
  const timers = clockFrom(context);
  const scope = yield* Effect.scope;
  const runFork = Effect.runForkWith(context);
  const machine = withShell(running, yield* makeStartPush(), yield* makeStartDeadLetter(), nowMillis, context);
  const inputOf = (job: string): BufferInput => ({
    job,
    retryBaseMillis: options.retryBaseMillis,
    retryMillisMax: options.retryMillisMax,
    oldRevisionAttemptsMax: options.oldRevisionAttemptsMax,
    suspendedProbeMillis: options.suspendedProbeMillis,
    unresolvedFailuresMax: options.unresolvedFailuresMax,
    deadLettersInRowMax: options.deadLettersInRowMax,
  });

  const launch = (each: Running, saved: unknown, revised: boolean, isolated: boolean): void => {
    const { buffer } = each;
    const pending = buffer.ledger.pendingRecords > 0;
    const input = inputOf(buffer.jobId);
    const ref = createActor(machine, {
      id: `buffer/${buffer.jobId}`,
      input,
      clock: timers,
      snapshot: isolated
        ? quarantinedSnapshot(input, pending, revised)
        : restoreSnapshot(saved, input, pending, revised),
    });
    let delivery = "";
    let flow = "";
    ref.subscribe({
      next: ({ value }) => {
        const flowNow = flowOf(value.flow);
        if (value.delivery === delivery && flowNow === flow) return;
        delivery = value.delivery;
        flow = flowNow;
        buffer.transitions.note(nowMillis(), each.lastEvent, flow, delivery);
      },
      // Without an error observer XState rethrows on the next tick and kills the process.
      error: (cause) => void runFork(Effect.forkIn(crashed(each, cause, each.lastEvent), scope)),
    });
    buffer.actor = {
      send: (event) => {
        const before = each.lastEvent;
        each.lastEvent = event.type;
        ref.send(event);
        each.lastEvent = before;
      },
      delivery: () => ref.getSnapshot().value.delivery,
      flow: () => flowOf(ref.getSnapshot().value.flow),
      context: () => ref.getSnapshot().context,
      inspect: (observer) => {
        const subscription = ref.system.inspect(observer);
        return () => subscription.unsubscribe();
      },
      stop: () => void ref.stop(),
    };
    each.lastEvent = timer;
    ref.start();
    buffer.actor.send({ type: "buffer.resumed", nowMillis: nowMillis() });
    buffer.pump();
  };

  const crashed = Effect.fnUntraced(function* (each: Running, cause: unknown, event: string) {
    const { buffer } = each;
    const millis = yield* Clock.currentTimeMillis;
    const batch = buffer.actor?.context().batch;
    buffer.actor = undefined;
    cancelPush(each);
    cancelDeadLetter(each);
    buffer.crashes += 1;
    each.crashes = [...each.crashes, millis].slice(-options.quarantineCrashesMax);
    const next = afterCrash(each.crashes, options);
    const error = crashText(cause);
    yield* Metric.update(bufferCrashesTotal, 1);
    buffer.reset();
    const where = { job: buffer.jobId, crashes: buffer.crashes, event, cause: error };
    if (next._tag === "Quarantine") {
      yield* Metric.update(buffersQuarantinedTotal, 1);
      yield* Effect.logError("A buffer crashed too often: it is quarantined until somebody resumes it.", where);
      buffer.evidence = {
        millis,
        event,
        error,
        firstSequence: batch?.first,
        lastSequence: batch?.last,
        crashes: next.crashes,
      };
      buffer.beUrgent();
      each.crashes = [];
    } else {
      const { delayMillis } = next;
      yield* Effect.logError("A buffer crashed; it starts again from its row.", { ...where, delayMillis });
      yield* Effect.sleep(delayMillis);
    }
    if (running.get(buffer.jobId) !== each) return;
    launch(each, undefined, buffer.newest !== buffer.effective, next._tag === "Quarantine");
  });

  const halt = (buffer: Buffer): Running | undefined => {
    const each = running.get(buffer.jobId);
    if (each?.buffer !== buffer) return undefined;
    running.delete(buffer.jobId);
    buffer.actor?.stop();
    buffer.actor = undefined;
    // XState runs no exit actions when an actor is stopped.
    cancelPush(each);
    cancelDeadLetter(each);
    return each;
  };
  const stop = (buffer: Buffer) =>
    Effect.suspend(() => {
      const each = halt(buffer);
      return each === undefined ? Effect.void : closeDestination(each);
    });
  const startNow = (buffer: Buffer, incarnation: string, saved: unknown, revised: boolean): void => {
    const each: Running = {
      buffer,
      incarnation,
      open: undefined,
      push: undefined,
      heldAt: "unknown",
      letter: undefined,
      crashes: [],
      lastEvent: "start",
    };
    running.set(buffer.jobId, each);
    launch(each, saved, revised, false);
  };

  const switches = yield* KillSwitches;
  yield* Effect.acquireRelease(
    Effect.sync(() => switches.onChange(() => void runFork(Effect.forkIn(resumeHeld(running, switches), scope)))),
    (stopListening) => Effect.sync(stopListening),
  );
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running.values()], ({ buffer }) => stop(buffer), { discard: true }),
  );

  return BufferActors.of({
    start: (buffer, incarnation, saved, revised) => Effect.sync(() => startNow(buffer, incarnation, saved, revised)),
    stop,
    startNow,
    stopNow: (buffer) => {
      const each = halt(buffer);
      if (each?.open !== undefined) runFork(closeDestination(each));
    },
  });
});

/** What a transition is put down to that no event of the shell's began. */
const timer = "after a delay";

/** A state of the flow region in one word. */
const flowOf = (value: string | Readonly<Record<string, string | undefined>>): string =>
  typeof value === "string"
    ? value
    : Object.entries(value)
        .map(([parent, child]) => `${parent}.${child}`)
        .join();
