import { Context, Effect, Layer, Option, type Scope } from "effect";
import type { QuotaLimits } from "./admission/quota.ts";
import { quotaLoop } from "./admission/quota-loop.ts";
import { BufferActors } from "./buffer/actor.ts";
import type { Buffer } from "./buffer/buffer.ts";
import { Checkpoints } from "./ports/checkpoints.ts";
import { DrillFaults } from "./ports/drill-faults.ts";
import { type JobSet, Jobs } from "./ports/jobs.ts";
import { Log } from "./ports/log.ts";
import { NodeAdmission } from "./ports/node-admission.ts";
import { reap } from "./residency/reaper.ts";
import { Residency } from "./residency/residency.ts";
import { SweepRegulator } from "./partition/sweep/sweep-regulator.ts";
import { WindowBudget } from "./window-budget.ts";
import { type Owned, type OwnOptions, ownPartition } from "./partition/own.ts";

export interface OwnerOptions extends Omit<OwnOptions, "residency" | "mayTake">, QuotaLimits {
  /** Whether no node can have this configuration any more: then a partition does not wait for it. */
  readonly isForgotten?: (snapshot: number) => boolean;
  readonly residentBuffersMax: number;
  readonly hibernateAfterMillis: number;
  readonly windowBytesMax: number;
  readonly sweepBytesPerSecondMax: number;
  /** False on a node without the owner role: it runs no buffers. */
  readonly owns: boolean;
}

/** The node's owner: runs the buffers of every partition that it can claim. */
export class Owner extends Context.Service<
  Owner,
  {
    /** Partitions owned at this moment, by number. */
    readonly owned: () => ReadonlyMap<number, Owned>;
    /** Bytes in the windows of all buffers. */
    readonly windowBytes: () => number;
    /** The places for buffers with an actor. */
    readonly residency: Residency;
    readonly drain: Effect.Effect<void>;
  }
>()("spillway/actors/Owner") {
  static readonly layer = (options: OwnerOptions): Layer.Layer<Owner, never, Log | Checkpoints | Jobs | BufferActors> =>
    Layer.effect(Owner, makeOwner(options));
}

const makeOwner = (
  given: OwnerOptions,
): Effect.Effect<Owner["Service"], never, Log | Checkpoints | Jobs | BufferActors | Scope.Scope> =>
  Effect.gen(function* () {
    const jobs = yield* Jobs;
    const owned = new Map<number, Owned>();
    // A test of owners alone may go without admission: then nothing is spent for a newcomer.
    const admission = Option.getOrUndefined(yield* Effect.serviceOption(NodeAdmission));
    const drill = yield* DrillFaults;
    const residency = new Residency({
      ...given,
      mayCreate: () => admission?.mayCreate() ?? true,
      isBounded: () => drill.isGuardOn("bufferLimit"),
    });
    admission?.watchResidents(() => residency.size, residency.max);
    const options = { ...given, residency };
    let current: JobSet | undefined;
    const shared = {
      ...options,
      // What the owners here have adopted: what this node is about to serve may be ahead of it.
      mayTake: (snapshot: number) => (current?.number ?? 0) >= snapshot || given.isForgotten?.(snapshot) === true,
      windowBudget: new WindowBudget(options.windowBytesMax, () => buffersOf(owned)),
      pendingBytesOf: (customer: string) => pendingBytesOf(owned, customer),
      sweepRegulator: new SweepRegulator(options.sweepBytesPerSecondMax),
    };

    yield* jobs.onChange((set) =>
      Effect.suspend(() => {
        current = set;
        return Effect.forEach([...owned.values()], ({ adopt }) => adopt(set), { discard: true });
      }),
    );
    yield* Effect.forEach(
      Array.from({ length: options.owns ? options.partitions : 0 }, (_, partition) => partition),
      (partition) =>
        Effect.forkScoped(
          ownPartition(partition, shared, (taken) =>
            Effect.suspend(() => {
              if (taken === undefined) return Effect.sync(() => void owned.delete(partition));
              owned.set(partition, taken);
              return current === undefined ? Effect.void : taken.adopt(current);
            }),
          ),
        ),
      { discard: true },
    );
    yield* Effect.forkScoped(reap(() => owned.values()));
    yield* Effect.forkScoped(quotaLoop(owned, options));

    const drain = Effect.suspend(() =>
      Effect.forEach([...owned.values()], (each) => each.drain, { concurrency: "unbounded", discard: true }),
    );
    return Owner.of({ owned: () => owned, windowBytes: () => sum(buffersOf(owned)), residency, drain });
  });

const buffersOf = (owned: ReadonlyMap<number, Owned>): ReadonlyArray<Buffer> =>
  [...owned.values()].flatMap(({ state }) => [...state.buffers.values()]);

const sum = (buffers: ReadonlyArray<Buffer>): number =>
  buffers.reduce((bytes, { window }) => bytes + window.bytes(), 0);

/** Uncompressed bytes of a customer's backlog on this node. */
const pendingBytesOf = (owned: ReadonlyMap<number, Owned>, customer: string): number =>
  buffersOf(owned).reduce(
    (bytes, { ledger, newest }) => (newest.job.customer === customer ? bytes + ledger.pendingBytes : bytes),
    0,
  );
