import { Clock, Effect, Layer } from "effect";
import { DestinationHosts } from "../../src/actors/destination-host/destination-hosts.ts";
import { BufferActors } from "../../src/actors/buffer/actor.ts";
import { Owner } from "../../src/actors/owner.ts";
import { Jobs, type JobSet } from "../../src/actors/ports/jobs.ts";
import type { Residency } from "../../src/actors/residency/residency.ts";
import { pairKey } from "../../src/domain/partition.ts";
import type { StoredJob } from "../../src/domain/push-job.ts";
import { jobSetOf, storedJob } from "../support/world.ts";
import { hostLimits } from "../support/host-limits.ts";
import { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import { layerPoisonLetters } from "./poison-letters.ts";
import { ScriptedCheckpoints } from "./scripted-checkpoints.ts";
import { ScriptedLog } from "./scripted-log.ts";
import { ScriptedStore } from "./scripted-store.ts";

const customers = ["ant", "bee", "cat"];
const batches = [
  { maxBytes: 200, maxRecords: 1_000, maxIntervalSeconds: 2 },
  { maxBytes: 100_000, maxRecords: 7, maxIntervalSeconds: 3 },
  { maxBytes: 100_000, maxRecords: 1_000, maxIntervalSeconds: 1 },
  { maxBytes: 400, maxRecords: 20, maxIntervalSeconds: 5 },
];

/** A log, its control stream, destinations and push jobs, all in memory: what outlives any owner. */
export class PartitionWorld {
  readonly dice: Dice;
  readonly log = new ScriptedLog();
  readonly checkpoints = new ScriptedCheckpoints();
  readonly store = new ScriptedStore();
  /** In force for forwarders. */
  jobs: JobSet;
  /** What owners know of them: as much, or less; and one that has just started, perhaps, what they knew before. */
  known: JobSet;
  private knownBefore: JobSet;
  /** By id: the number of the first set that has a job. */
  readonly since = new Map<string, number>();
  /** Whether the run revised a job: then batches may be cut differently after a crash. */
  revisions = 0;
  /** Whether people skip parts of backlogs. */
  skips = false;
  /** Broken promises that were seen where throwing would not have ended the run. */
  readonly failures: Array<unknown> = [];
  /** Of all owners. */
  readonly residencies = new Set<Residency>();
  private readonly adopters = new Set<(set: JobSet) => Effect.Effect<void>>();
  private readonly history = new Map<string, StoredJob>();
  private readonly limits: ReturnType<typeof drawLimits>;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    this.limits = drawLimits(this.dice);
    // Two jobs share a pair: what one of them does must not concern the other.
    const all = [...customers, "ant"].map((customer, i) => this.remember(`job-${i}`, customer, 1));
    this.jobs = jobSetOf(all, 1);
    this.known = this.jobs;
    this.knownBefore = this.jobs;
    this.log.jobSet = this.jobs.number;
    // C3: the row that a batch starts from, of the revision that it is made under.
    this.store.missing = (job) => {
      const row = this.checkpoints.rows().find((each) => each.job === job.id);
      const revision = [...this.history.values()].find((stored) => stored.job === job)!.revision;
      return row !== undefined && row.revision >= revision ? undefined : `a durable row of revision ${revision}`;
    };
  }

  /** How often buffers hibernated, woke, waited for a place and lost theirs. */
  get places() {
    const sum = { hibernated: 0, woken: 0, refused: 0, evicted: 0 };
    for (const { counts } of this.residencies) {
      for (const key of Object.keys(sum) as Array<keyof typeof sum>) sum[key] += counts[key];
    }
    return sum;
  }

  /** From now on some records are refused by every destination. */
  poisonSome(): void {
    const { dice } = this;
    this.log.poison = (records) =>
      new Set(Array.from({ length: records }, (_, i) => i).filter(() => dice.chance(0.02)));
  }

  /** Dead letters by job and record: the first write wins. */
  readonly letters = new Map<string, string>();

  private remember(id: string, customer: string, revision: number): StoredJob {
    const stored = storedJob(id, customer, { batch: this.dice.pick(batches) }, revision);
    this.history.set(`${id} ${revision}`, stored);
    if (!this.since.has(id)) this.since.set(id, revision);
    return stored;
  }

  /** A job has new settings, or there is a new job. Forwarders act on it at once. */
  readonly reviseSomething = Effect.fnUntraced({ self: this }, function* (this: PartitionWorld) {
    const all = [...this.jobs.byId.values()];
    this.revisions += 1;
    const revision = this.revisions + 1;
    const old = this.dice.pick(all);
    const changed = this.dice.chance(0.4)
      ? [...all, this.remember(`job-${all.length}`, this.dice.pick(customers), revision)]
      : all.map((each) => (each === old ? this.remember(old.job.id, old.job.customer, revision) : each));
    this.jobs = jobSetOf(changed, 1, revision);
    this.log.jobSet = revision;
    if (this.dice.chance(0.3)) yield* this.catchUp();
  });

  /** Whether somebody may have missed something. */
  isBehind(): boolean {
    return this.known !== this.jobs || this.knownBefore !== this.known;
  }

  /** Owners hear of the jobs as they are. */
  readonly catchUp = Effect.fnUntraced({ self: this }, function* (this: PartitionWorld) {
    this.knownBefore = this.known;
    this.known = this.jobs;
    for (const adopt of this.adopters) yield* adopt(this.known);
  });

  /** Forwarders at work: chunks of several pairs, resends that landed twice, silence now and then. */
  readonly produce = Effect.fnUntraced({ self: this }, function* (this: PartitionWorld, messages: number) {
    const { dice, log } = this;
    const writers = [1, 2].map((incarnation) => ({ incarnation: String(incarnation), number: 0, recordsBefore: 0 }));
    for (let i = 0; i < messages; i++) {
      const writer = dice.pick(writers);
      const pairs = customers.filter(() => dice.chance(0.5)).map((customer) => pairKey(customer, "http_requests"));
      const chunks = [...pairs, "stranger.http_requests"].map((key) =>
        log.chunk(key, dice.int(1, 5), dice.pick(["raw", "gzip"])),
      );
      writer.number += 1;
      const sent = { ...writer, absent: 0 };
      writer.recordsBefore += log.append(yield* Clock.currentTimeMillis, sent, chunks).records;
      if (dice.chance(0.05)) log.append(yield* Clock.currentTimeMillis, sent, chunks, true);
      yield* Effect.sleep(dice.chance(0.1) ? dice.int(500, 6_000) : dice.int(0, 150));
    }
  });

  /** An owner of the partition; what it does ends with the scope that it is built in. */
  owner(life: Life) {
    const { dice } = this;
    let mine = dice.chance(0.3) ? this.knownBefore : this.known;
    const options = { ...this.limits, owner: life.name };
    const jobs = Layer.succeed(Jobs, {
      served: () => this.jobs,
      onChange: (adopt) =>
        Effect.suspend(() => {
          this.adopters.add((set) => Effect.suspend(() => adopt((mine = set))));
          return adopt(mine);
        }),
      atRevision: (id, revision) => Effect.succeed(this.history.get(`${id} ${revision}`)),
      absence: () => Effect.succeed("forgotten"),
    });
    return Owner.layer(options).pipe(
      Layer.provide(
        BufferActors.layer(options).pipe(
          Layer.provide([
            this.store.layer(dice, life),
            DestinationHosts.layer(options),
            layerPoisonLetters(this, life),
          ]),
        ),
      ),
      Layer.provide([jobs, this.log.layer(dice, life), this.checkpoints.layer(dice, life)]),
    );
  }
}

/** Limits so low that a short run reaches each of them. */
export const drawLimits = (dice: Dice) => ({
  partitions: 1,
  readBytesMax: 4_194_304,
  readIdleMillisMax: 100,
  sweepSliceBytesMax: dice.pick([500, 5_000, 1_000_000]),
  residentBuffersMax: dice.pick([1, 2, 3, 1_000, 1_000]),
  hibernateAfterMillis: dice.pick([0, 700, 4_000]),
  sweepSliceMillisMax: dice.pick([20, 1_000]),
  sweepNearBytesMax: dice.pick([2, 20, 1_000_000]),
  sweepBytesPerSecondMax: dice.pick([100_000, 1_000_000_000]),
  logMaxAgeSeconds: 1_000_000,
  logBytesMax: 1_000_000_000,
  expiryPercent: 90,
  purgePercent: 80,
  replayWindowSecondsMax: 1_000_000,
  backlogBytesPerCustomerMax: 1_000_000_000,
  backlogAgeSecondsMax: 1_000_000,
  backlogEasedPercent: 80,
  windowBytesMax: dice.pick([8_000, 1_000_000_000]),
  owns: true,
  bounds: { bytesMax: dice.pick([3_000, 1_000_000]), closedBatchesMax: dice.pick([1, 2, 8]) },
  checkpointMillis: dice.pick([300, 1_000]),
  checkpointUrgentMillis: 250,
  checkpointCountMillis: dice.pick([2_000, 10_000]),
  checkpointSilenceMillisMax: dice.pick([1_500, 15_000]),
  retryBaseMillis: 50,
  retryMillisMax: dice.pick([200, 2_000]),
  oldRevisionAttemptsMax: 3,
  suspendedProbeMillis: 5_000,
  unresolvedFailuresMax: 5,
  deadLettersInRowMax: 5,
  quarantineCrashesMax: 1_000,
  quarantineWindowMillis: 1_000,
  ...hostLimits,
  pushesInFlightMax: 2,
  slowPushesInFlightMax: 1,
  pushesPerHostMax: 1,
  drainMillisMax: 3_000,
});
