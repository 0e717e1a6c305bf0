import { Clock, Context, Effect, Exit, Cause, FiberMap, Layer, Random, type Scope } from "effect";
import type { StoredJob } from "../../domain/push-job.ts";
import { pairKey, partitionOf } from "../../domain/partition.ts";
import { Owner } from "../owner.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import { Destinations } from "../ports/destinations.ts";
import { Jobs } from "../ports/jobs.ts";
import { Log, type LogUnavailable } from "../ports/log.ts";
import { Pace } from "./pace.ts";
import { ReplayFailed } from "./replay-lane.ts";
import { type ReplayBound, replayRange, ReplayRefused } from "./replay-range.ts";
import { ReplayProgress, type ReplayReport } from "./replay-report.ts";
import { type ReplayPlan, runReplay } from "./run-replay.ts";

export interface ReplaysOptions {
  readonly partitions: number;
  readonly replaysMax: number;
  readonly replayBytesPerSecondMax: number;
  readonly replayAttemptsMax: number;
  readonly retryBaseMillis: number;
  readonly retryMillisMax: number;
  readonly readBytesMax: number;
  readonly deadLettersInRowMax: number;
}

export interface ReplayRequest {
  readonly job: string;
  readonly from: ReplayBound;
  /** What the live delivery has settled, when absent. */
  readonly to: ReplayBound | undefined;
  /** An id; eight hex digits by chance when absent. */
  readonly name: string | undefined;
}

/** Ended replays that are still listed; the one begun first is forgotten first. */
const endedMax = 100;

/** The replays of this node: in memory, and ended with it. */
export class Replays extends Context.Service<
  Replays,
  {
    /** Begins it in the background and answers what it will do. */
    readonly start: (request: ReplayRequest) => Effect.Effect<ReplayReport, ReplayRefused | LogUnavailable>;
    /** Running and ended ones, the newest first. */
    readonly list: () => ReadonlyArray<ReplayReport>;
    /** Stops it, its push included; undefined when there is none of this name. One that has ended stays as it is. */
    readonly cancel: (id: string) => Effect.Effect<ReplayReport | undefined>;
  }
>()("spillway/actors/replay/Replays") {
  static readonly layer = (options: ReplaysOptions): Layer.Layer<Replays, never, Owner | Jobs | Log | Destinations> =>
    Layer.effect(Replays, makeReplays(options));
}

const makeReplays = Effect.fnUntraced(function* (
  options: ReplaysOptions,
): Effect.fn.Return<Replays["Service"], never, Owner | Jobs | Log | Destinations | Scope.Scope> {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const context = yield* Effect.context<Log | Destinations>();
  const fibers = yield* FiberMap.make<string, void, never>();
  const known = new Map<string, ReplayProgress>();
  const pace = new Pace(options.replayBytesPerSecondMax);

  const admit = (name: string): ReplayRefused | undefined => {
    const before = known.get(name);
    if (before !== undefined && isRunning(before)) return refused("name-taken", `A replay ${name} is running.`);
    const running = [...known.values()].filter(isRunning).length;
    return running < options.replaysMax
      ? undefined
      : refused("too-many", `${running} replays are running on this node, as many as replaysMax allows.`);
  };

  const start: Replays["Service"]["start"] = Effect.fnUntraced(function* (request) {
    const { buffer, state, stored } = yield* findBuffer(request.job, owner, jobs, options.partitions);
    const name = request.name ?? (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16).padStart(8, "0");
    const range = yield* replayRange(state, buffer, request.from, request.to).pipe(Effect.provideContext(context));
    // Checked and noted in one step: what came before this line waited, and others may have been begun meanwhile.
    const startedMillis = yield* Clock.currentTimeMillis;
    const refusal = admit(name);
    if (refusal !== undefined) return yield* refusal;
    const { customer, dataset, id } = stored.job;
    const fixed = { id: name, job: id, customer, dataset, partition: state.partition, from: range.from, to: range.to };
    const progress = new ReplayProgress(fixed, startedMillis, range.warnings);
    known.delete(name);
    known.set(name, progress);
    forgetOldest(known);
    const newest = () => newestOf(id, state, owner, jobs);
    const plan = { name, job: stored.job, state, from: range.from, to: range.to, newest };
    const running = run(plan, progress, pace, options).pipe(Effect.provideContext(context));
    yield* FiberMap.run(fibers, name, running);
    return progress.report();
  });

  return Replays.of({
    start,
    list: () => [...known.values()].map((progress) => progress.report()).toReversed(),
    cancel: Effect.fnUntraced(function* (id) {
      const progress = known.get(id);
      if (progress === undefined) return undefined;
      yield* FiberMap.remove(fibers, id);
      return progress.report();
    }),
  });
});

const isRunning = ({ state }: ReplayProgress): boolean => state === "running";

const refused = (reason: ReplayRefused["reason"], detail: string) => new ReplayRefused({ reason, detail });

/** The buffer tells where the live delivery is; only the owner of its partition has it. */
const findBuffer = (job: string, owner: Owner["Service"], jobs: Jobs["Service"], partitions: number) =>
  Effect.suspend(() => {
    const stored = jobs.served().byId.get(job);
    if (stored === undefined) return Effect.fail(refused("job-not-found", `There is no push job "${job}".`));
    if (!stored.job.enabled) {
      return Effect.fail(refused("disabled", `Push job ${job} is disabled: enable it, then replay.`));
    }
    const partition = partitionOf(stored.job.customer, stored.job.dataset, partitions);
    const state = owner.owned().get(partition)?.state;
    // One that hibernates wakes, as for a chunk.
    state?.dealtTo(pairKey(stored.job.customer, stored.job.dataset), state.position + 1);
    const buffer = state?.buffers.get(job);
    return state === undefined || buffer === undefined
      ? Effect.fail(refused("not-owned", `Partition ${partition} of push job ${job} is not owned by this node.`))
      : Effect.succeed({ stored, state, buffer });
  });

const newestOf = (
  id: string,
  state: PartitionState,
  owner: Owner["Service"],
  jobs: Jobs["Service"],
): StoredJob | ReplayFailed => {
  const stored = jobs.served().byId.get(id);
  if (stored === undefined) return new ReplayFailed({ detail: "The push job was deleted." });
  if (!stored.job.enabled) return new ReplayFailed({ detail: "The push job was disabled." });
  return owner.owned().get(state.partition)?.state === state
    ? stored
    : new ReplayFailed({ detail: "This node does not own the job's partition any more." });
};

const forgetOldest = (known: Map<string, ReplayProgress>): void => {
  const ended = [...known].filter(([, { state }]) => state !== "running");
  for (const [id] of ended.slice(0, Math.max(0, ended.length - endedMax))) known.delete(id);
};

/** To its end, whatever that is: a defect in here is this replay's failure and nobody else's. */
const run = (plan: ReplayPlan, progress: ReplayProgress, pace: Pace, options: ReplaysOptions) =>
  runReplay(plan, progress, pace, {
    readBytesMax: options.readBytesMax,
    refusedInRowMax: options.deadLettersInRowMax,
    policy: {
      baseMillis: options.retryBaseMillis,
      maxMillis: options.retryMillisMax,
      attemptsMax: options.replayAttemptsMax,
    },
  }).pipe(
    Effect.scoped,
    Effect.onExit((exit) => end(progress, exit)),
    Effect.ignoreCause,
  );

const end = Effect.fnUntraced(function* (progress: ReplayProgress, exit: Exit.Exit<void, ReplayFailed>) {
  progress.endedMillis = yield* Clock.currentTimeMillis;
  progress.nextAttemptMillis = null;
  if (Exit.isSuccess(exit)) progress.state = "done";
  else if (Cause.hasInterruptsOnly(exit.cause)) progress.state = "cancelled";
  else {
    progress.state = "failed";
    const error = Cause.squash(exit.cause);
    progress.lastError = error instanceof ReplayFailed ? error.detail : "Something unexpected happened; see the log.";
    if (!(error instanceof ReplayFailed)) yield* Effect.logError("A replay crashed.", exit.cause);
  }
  const { batches, bytes, from, id, job, lastError, records, recordsRefused, sequence, state, to } = progress.report();
  const line = { replay: id, job, state, from, to, sequence, batches, records, bytes, recordsRefused, lastError };
  yield* state === "failed" ? Effect.logWarning("Replay ended.", line) : Effect.logInfo("Replay ended.", line);
});
