import { Cause, Deferred, Effect, Exit, Metric, Schema, Scope, Semaphore } from "effect";
import { partitionsFencedTotal } from "../../observability/delivery-metrics.ts";
import { BufferActors } from "../buffer/actor.ts";
import { Checkpoints, type CheckpointUnavailable, Fenced } from "../ports/checkpoints.ts";
import { Jobs, type JobSet } from "../ports/jobs.ts";
import { Log, type LogInfo, type LogUnavailable } from "../ports/log.ts";
import { backlogReportLoop } from "./backlog-reporter.ts";
import { checkpoint, checkpointLoop, type CheckpointerOptions } from "./checkpointer.ts";
import { IdleWatch, reapPartition } from "../residency/hibernate.ts";
import { givePlaces } from "../residency/places.ts";
import { makeWaker } from "../residency/wake.ts";
import { PartitionState } from "./partition-state.ts";
import { readLoop, type ReaderOptions } from "./reader.ts";
import { adoptJobs, type BufferOptions, rebase } from "./recover.ts";
import { retentionLoop, type RetentionOptions } from "./retention.ts";
import type { SweepRegulator } from "./sweep/sweep-regulator.ts";
import { sweepLoop, type SweepOptions } from "./sweep.ts";
import { dismissLate } from "./take-leave.ts";
import type { WindowBudget } from "../window-budget.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";

export interface OwnOptions extends BufferOptions, ReaderOptions, SweepOptions, CheckpointerOptions, RetentionOptions {
  readonly drainMillisMax: number;
  /** Whether this node's configuration is new enough for a partition whose owner had adopted this snapshot. */
  readonly mayTake?: (snapshot: number) => boolean;
  /** Shared by all partitions of a node; without them a partition has no such bounds. */
  readonly windowBudget?: WindowBudget;
  readonly sweepRegulator?: SweepRegulator;
}

/** A partition while this node owns it. */
export interface Owned {
  readonly state: PartitionState;
  readonly adopt: (set: JobSet) => Effect.Effect<void>;
  /** The reaper's visit: the quiescent hibernate, those who wait get places. */
  readonly tend: Effect.Effect<void>;
  /** Orderly end: open batches are cut and pushed as far as time allows, then the partition is given up. */
  readonly drain: Effect.Effect<void>;
}

/** Another node's register must be unchanged for so long before we take its partition. */
const abandonedMillis = 3_000;
const fencedMillis = 10_000;
const failureMillis = 1_000;
/** A node that has just started has the newest configuration in a moment. */
const behindMillis = 2_000;

/** The owner before had a later configuration: what came for jobs that this node has not heard of was its to judge. */
class Behind extends Schema.TaggedError<Behind>()("Behind", { partition: Schema.Int, snapshot: Schema.Int }) {}

type Needs = Log | Checkpoints | Jobs | BufferActors;

/**
 * Owns a partition for as long as it may, and takes it again when it could not: `onOwned` is told of each time, with
 * undefined when it was lost. Ends only by interruption.
 */
export const ownPartition = (
  partition: number,
  options: OwnOptions,
  onOwned: (owned: Owned | undefined) => Effect.Effect<void>,
): Effect.Effect<never, never, Needs> =>
  Effect.gen(function* () {
    while (true) {
      const pause = yield* Effect.scoped(ownOnce(partition, options, onOwned)).pipe(
        Effect.catchTags({
          Fenced: () =>
            Metric.update(partitionsFencedTotal, 1).pipe(
              Effect.andThen(
                Effect.logWarning("Another owner holds the partition; its buffers here are stopped.", { partition }),
              ),
              Effect.as(fencedMillis),
            ),
          Behind: ({ snapshot }) =>
            Effect.as(
              Effect.logWarning("A partition waits for a node with the configuration of its last owner.", {
                partition,
                snapshot,
              }),
              behindMillis,
            ),
          CheckpointUnavailable: ({ detail }) =>
            Effect.as(Effect.logError("A partition cannot be claimed.", { partition, detail }), failureMillis),
          LogUnavailable: ({ detail }) =>
            Effect.as(
              Effect.logWarning("A partition's log cannot be described.", { partition, detail }),
              failureMillis,
            ),
        }),
        Effect.catchDefect((defect) =>
          Effect.as(
            Effect.logError("A partition crashed; it is claimed again.", { partition, defect: String(defect) }),
            failureMillis,
          ),
        ),
        Effect.onExit(() => onOwned(undefined)),
      );
      yield* Effect.sleep(pause);
    }
  });

const ownOnce = (
  partition: number,
  options: OwnOptions,
  onOwned: (owned: Owned | undefined) => Effect.Effect<void>,
): Effect.Effect<never, Behind | Fenced | CheckpointUnavailable | LogUnavailable, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    const state = yield* take(partition, options);
    if (options.windowBudget !== undefined) state.windowBudget = options.windowBudget;
    if (options.sweepRegulator !== undefined) state.sweepRegulator = options.sweepRegulator;
    const actors = yield* BufferActors;
    const context = yield* Effect.context<Needs>();
    const oneAtATime = yield* Semaphore.make(1);
    const waker = yield* makeWaker(state, options);
    const watch = new IdleWatch();
    yield* Effect.addFinalizer(() => {
      state.isClosing = true;
      return stopAll(state, actors, options);
    });

    const adopt = (set: JobSet): Effect.Effect<void> =>
      oneAtATime.withPermits(1)(adoptJobs(state, set, options).pipe(Effect.provideContext(context)));
    // A partition that is busy with a job set is passed over: the reaper has others to see.
    const tend = oneAtATime.withPermitsIfAvailable(1)(
      Effect.suspend(() =>
        state.isAdopted && !state.isClosing
          ? dismissLate(state, options).pipe(
              Effect.andThen(reapPartition(state, options.residency, waker, watch)),
              Effect.andThen(givePlaces(state, options.residency, waker)),
              Effect.provideContext(context),
            )
          : Effect.void,
      ),
    );

    const stopped = yield* Deferred.make<never, Fenced>();
    const loops = yield* Scope.make();
    yield* Effect.addFinalizer(() => Scope.close(loops, Exit.void));
    // The job set is adopted before anything is read: what the reader finds must find its buffers.
    const begun = yield* Deferred.make<void>();
    const owned: Owned = {
      state,
      adopt: (set) => adopt(set).pipe(Effect.andThen(Deferred.succeed(begun, undefined)), Effect.asVoid),
      tend,
      drain: drain(state, options, Scope.close(loops, Exit.void)).pipe(
        Effect.catchTag("Fenced", () => Effect.void),
        Effect.provideContext(context),
      ),
    };
    yield* onOwned(owned);
    yield* Deferred.await(begun);
    // Whatever ends a loop ends the ownership: a partition that stands still must not pass for owned.
    const watched = <R>(loop: Effect.Effect<never, Fenced, R>) =>
      Effect.forkIn(
        Effect.tapCause(loop, (cause) =>
          Cause.hasInterruptsOnly(cause) ? Effect.void : Deferred.failCause(stopped, cause),
        ),
        loops,
      );
    yield* watched(readLoop(state, options));
    yield* watched(sweepLoop(state, options));
    yield* watched(checkpointLoop(state, options));
    yield* watched(backlogReportLoop(state));
    yield* watched(retentionLoop(state, options));
    return yield* Deferred.await(stopped);
  });

/** Claims the partition, at once when it is free or was ours, else when its owner has been silent for long enough. */
const take = Effect.fnUntraced(function* (partition: number, options: OwnOptions) {
  const log = yield* Log;
  const checkpoints = yield* Checkpoints;
  const before = yield* checkpoints.register(partition);
  if (before !== undefined && before.owner !== null && before.owner !== options.owner) {
    yield* Effect.sleep(abandonedMillis);
    const now = yield* checkpoints.register(partition);
    if (now?.nonce !== before.nonce) return yield* new Fenced({ partition });
  }
  // A register without an owner has one, too: whoever gave it up.
  if (before !== undefined && options.mayTake?.(before.snapshot) === false)
    return yield* new Behind({ partition, snapshot: before.snapshot });
  const described = yield* log.describe(partition);
  const claim = yield* checkpoints.claim(partition, options.owner, described);
  // Somebody may have had it in between.
  const { snapshot } = claim.register;
  if (options.mayTake?.(snapshot) === false) return yield* new Behind({ partition, snapshot });
  const isOther = ({ incarnation, lastSequence }: LogInfo) =>
    claim.register.incarnation !== incarnation || lastSequence < claim.register.scan;
  // Asked again before it is believed: between the two questions its last owner may have read on.
  const info = isOther(described) ? yield* log.describe(partition) : described;
  if (!isOther(info)) {
    const state = new PartitionState(partition, claim, info.incarnation);
    state.log = info;
    return state;
  }
  yield* Effect.logError("The log is not the one that was read before: what was pending in it is lost.", {
    partition,
    scan: claim.register.scan,
    lastSequence: info.lastSequence,
  });
  const anew = {
    ...claim,
    register: { ...claim.register, scan: 0, writers: {}, duplicates: [], lowWater: 0, receipted: 0 },
  };
  const state = new PartitionState(partition, anew, info.incarnation);
  state.isRebased = true;
  state.log = info;
  yield* rebase(state);
  return state;
});

const drain = Effect.fnUntraced(function* (
  state: PartitionState,
  options: OwnOptions,
  stopLoops: Effect.Effect<void>,
): Effect.fn.Return<void, Fenced, BufferActors> {
  const actors = yield* BufferActors;
  const deadline = (yield* steadyMillis) + options.drainMillisMax;
  state.isClosing = true;
  yield* stopLoops;
  const buffers = [...state.buffers.values()];
  // The ends of open batches are durable before they are pushed: a restart finds the same batches.
  const cut = buffers.filter((buffer) => buffer.live && buffer.planCut());
  if (cut.length > 0 && (yield* checkpoint(state, options.owner, cut))) for (const buffer of cut) buffer.applyCuts();
  while ((yield* steadyMillis) < deadline && buffers.some(isBusy)) yield* Effect.sleep(20);
  for (const buffer of buffers) buffer.actor?.send({ type: "buffer.drain" });
  const dirty = [...state.rowed()].filter((buffer) => buffer.dirtiness() !== "clean");
  yield* checkpoint(state, null, dirty);
  yield* stopAll(state, actors, options);
});

const stopAll = (state: PartitionState, actors: BufferActors["Service"], { residency }: OwnOptions) =>
  Effect.forEach(
    [...state.buffers.values()],
    (buffer) => {
      residency.leave(buffer);
      return actors.stop(buffer);
    },
    { discard: true },
  );

/**
 * Whether waiting may still deliver something. A buffer between two attempts may have to wait for long: it is not
 * waited for.
 */
const isBusy = (buffer: {
  readonly actor: { readonly delivery: () => string } | undefined;
  readonly window: { readonly head: () => unknown };
}): boolean => {
  const delivery = buffer.actor?.delivery();
  return (
    delivery === "pushing" ||
    (delivery !== "backingOff" && delivery !== undefined && buffer.window.head() !== undefined)
  );
};
