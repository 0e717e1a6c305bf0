import { Clock, Effect, Layer } from "effect";
import { makeNodeAdmission } from "../../../src/actors/admission/admission.ts";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { DestinationHosts } from "../../../src/actors/destination-host/destination-hosts.ts";
import { Owner } from "../../../src/actors/owner.ts";
import { Backlogs, type PartitionReport } from "../../../src/actors/ports/backlogs.ts";
import { Checkpoints } from "../../../src/actors/ports/checkpoints.ts";
import { Jobs, type JobSet } from "../../../src/actors/ports/jobs.ts";
import { Log } from "../../../src/actors/ports/log.ts";
import { noKillSwitches } from "../../../src/actors/ports/kill-switches.ts";
import { NodeAdmission } from "../../../src/actors/ports/node-admission.ts";
import { Outbox } from "../../../src/actors/ports/outbox.ts";
import type { Residency } from "../../../src/actors/residency/residency.ts";
import { partitionOf } from "../../../src/domain/partition.ts";
import { Doorkeeper } from "../../../src/forwarder/doorkeeper.ts";
import { PairIndexes } from "../../../src/forwarder/pair-index.ts";
import { hostLimits } from "../../support/host-limits.ts";
import { jobSetOf, limits as shipped, storedJob } from "../../support/world.ts";
import { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import { layerPoisonLetters } from "../poison-letters.ts";
import { ScriptedCheckpoints } from "../scripted-checkpoints.ts";
import { poisonMark, ScriptedLog } from "../scripted-log.ts";
import { ScriptedStore, type Temper, tempers } from "../scripted-store.ts";
import { ScriptedOutbox } from "./scripted-outbox.ts";
import { type Door, makeDoor } from "./scripted-door.ts";

export const dataset = "http_requests";
const partitions = 2;

/** By what may happen to them: the good never give anybody a reason to hold them back. */
export const customers = {
  good: ["ant", "bee", "cat"],
  /** Their destinations fail for long, and their backlogs go over the quota. */
  bad: ["dog", "eel", "fox"],
} as const;
export const allCustomers = [...customers.good, ...customers.bad];

/** Logs, control streams, destinations and push jobs of a whole node, in memory: what outlives each run of it. */
export class NodeWorld {
  readonly dice: Dice;
  readonly logs = Array.from({ length: partitions }, () => new ScriptedLog());
  readonly checkpoints = Array.from({ length: partitions }, () => new ScriptedCheckpoints());
  readonly store = new ScriptedStore();
  readonly letters = new Map<string, string>();
  readonly jobs: JobSet;
  readonly limits: ReturnType<typeof drawLimits>;
  readonly residencies = new Set<Residency>();
  /** All logs as one. */
  readonly log = { referenceFor: (key: string, start: number) => this.logOf(key).referenceFor(key, start) };
  /** Whether the servers' clock jumps. */
  jumps = false;
  /** What is wrong with a customer's destinations at the moment. */
  readonly tempers = new Map<string, Temper>();
  /** Lines that the door said were stored, and all that were sent, by customer. */
  readonly acknowledged = new Map<string, Set<string>>();
  readonly refusals = { overQuota: new Map<string, number>(), other: 0 };
  /** Broken promises that were seen where throwing would not have ended the run. */
  readonly failures: Array<unknown> = [];
  private lines = 0;
  private readonly reports = new Map<number, { readonly report: PartitionReport; readonly receivedMillis: number }>();

  constructor(seed: number) {
    this.dice = new Dice(seed);
    this.limits = drawLimits(this.dice);
    const all = allCustomers.flatMap((customer) => {
      // One in three has two jobs, of which one may be well while the other is not.
      const count = this.dice.chance(0.3) ? 2 : 1;
      return Array.from({ length: count }, (_, i) =>
        storedJob(`${customer}-${i}`, customer, {
          batch: this.dice.pick(batches),
          onOverload: this.dice.pick(["refuse", "shedOldest"]),
          weight: this.dice.pick([1, 1, 5]),
        }),
      );
    });
    this.jobs = jobSetOf(all, partitions);
    for (const log of this.logs) log.purges = true;
    this.store.temper = ({ customer }) => this.tempers.get(customer);
    // A host of its own, or one that others share: then its circuit is theirs too, and nobody's who is well.
    const isShared = this.dice.chance(0.5);
    this.store.hostOf = ({ customer }) =>
      customers.good.some((each) => each === customer) ? customer : isShared ? "bad" : customer;
  }

  logOf(key: string): ScriptedLog {
    const [customer = "", name = ""] = key.split(".");
    return this.logs[partitionOf(customer, name, partitions)]!;
  }

  /** Some of the bad fall ill, some get well. */
  changeTempers(): void {
    const { dice } = this;
    for (const customer of customers.bad) {
      if (dice.chance(0.5)) this.tempers.set(customer, dice.pick(tempers));
      else this.tempers.delete(customer);
    }
  }

  /** A line of JSON that there is only once; one in fifty is refused by every destination. */
  line(customer: string): string {
    const poison = this.dice.chance(0.02) ? poisonMark : "";
    return JSON.stringify({ c: customer, n: (this.lines += 1), x: `record${poison}` });
  }

  /** What the door said of a record: whether it was taken. */
  note(customer: string, line: string, refused: string | undefined): boolean {
    if (refused === undefined) {
      const lines = this.acknowledged.get(customer) ?? new Set();
      this.acknowledged.set(customer, lines.add(line));
    } else if (refused === "over-quota") {
      this.refusals.overQuota.set(customer, (this.refusals.overQuota.get(customer) ?? 0) + 1);
    } else this.refusals.other += 1;
    return refused === undefined;
  }

  /** How often the run has run into what it is for. */
  summary() {
    const receipts = this.checkpoints.flatMap((each) => [...each.receipts.values()]);
    const count = (reason: string) => receipts.filter((each) => each.reason === reason).length;
    const places = { hibernated: 0, woken: 0, refused: 0, evicted: 0 };
    for (const { counts } of this.residencies) {
      for (const key of Object.keys(places) as Array<keyof typeof places>) places[key] += counts[key];
    }
    return {
      objects: this.store.objects.length,
      overQuota: [...this.refusals.overQuota.values()].reduce((sum, each) => sum + each, 0),
      expired: count("expired"),
      shed: count("shed"),
      deadLettered: count("deadLettered"),
      ...places,
    };
  }

  /** A node: door, admission, outbox, owner of all partitions. What it does ends with the scope that it is built in. */
  node(life: Life, incarnation: string) {
    const { dice, limits } = this;
    const options = { ...limits, owner: life.name };
    const services = Layer.mergeAll(
      Layer.succeed(Jobs, {
        served: () => this.jobs,
        onChange: (adopt) => adopt(this.jobs),
        atRevision: () => Effect.undefined,
        absence: () => Effect.succeed("stored" as const),
      }),
      Layer.succeed(Log, this.logService(life)),
      Layer.succeed(Checkpoints, this.checkpointService(life)),
      Layer.succeed(Backlogs, this.backlogService(life)),
      Layer.succeed(Outbox, new ScriptedOutbox(this.logs, incarnation).service(dice, life)),
    );
    const admission = Layer.effect(
      NodeAdmission,
      makeNodeAdmission({ ...limits, memoryBytes: () => 0, eventLoopDelayMillis: () => 0 }),
    );
    const owner = Owner.layer(options).pipe(
      Layer.provide(
        BufferActors.layer(options).pipe(
          Layer.provide([
            this.store.layer(dice, life),
            DestinationHosts.layer(options),
            layerPoisonLetters(this, life),
          ]),
        ),
      ),
    );
    return owner.pipe(Layer.provideMerge(admission), Layer.provideMerge(services));
  }

  /** The door of a node, as one of its parts sees the others. */
  readonly door: Effect.Effect<Door, never, Backlogs | NodeAdmission | Outbox | Jobs> = Effect.gen(
    { self: this },
    function* (this: NodeWorld) {
      const clock = yield* Clock.Clock;
      const admission = yield* NodeAdmission;
      const now = () => clock.currentTimeMillisUnsafe();
      const keeper = new Doorkeeper(yield* Backlogs, admission, this.limits, now, noKillSwitches);
      const indexes = new PairIndexes(admission.see);
      const jobs = yield* Jobs;
      return makeDoor({ keeper, outbox: yield* Outbox, pairs: () => indexes.of(jobs.served(), dataset) });
    },
  );

  private logService(life: Life): Log["Service"] {
    const services = this.logs.map((log) => log.service(this.dice, life));
    const of = (partition: number) => services[partition]!;
    return {
      read: (partition, ...rest) => of(partition).read(partition, ...rest),
      tick: (partition) => of(partition).tick(partition),
      describe: (partition) => of(partition).describe(partition),
      purge: (partition, sequence) => of(partition).purge(partition, sequence),
      waitForWrite: (partition, millis) => of(partition).waitForWrite(partition, millis),
    };
  }

  private checkpointService(life: Life): Checkpoints["Service"] {
    const services = this.checkpoints.map((each) => each.service(this.dice, life));
    const of = (partition: number) => services[partition]!;
    return {
      claim: (partition, ...rest) => of(partition).claim(partition, ...rest),
      register: (partition) => of(partition).register(partition),
      inspect: (partition) => of(partition).inspect(partition),
    };
  }

  /** Reports come late, some not at all: then nobody is refused for it. */
  private backlogService(life: Life): Backlogs["Service"] {
    return {
      partitions,
      latest: (partition) => this.reports.get(partition),
      publish: Effect.fnUntraced({ self: this }, function* (this: NodeWorld, report: PartitionReport) {
        if (life.isDead || (life.faulty && this.dice.chance(0.1))) return;
        yield* Effect.sleep(this.dice.int(0, 100));
        this.reports.set(report.partition, { report, receivedMillis: yield* Clock.currentTimeMillis });
      }),
    };
  }
}

const batches = [
  { maxBytes: 300, maxRecords: 1_000, maxIntervalSeconds: 2 },
  { maxBytes: 100_000, maxRecords: 7, maxIntervalSeconds: 3 },
  { maxBytes: 100_000, maxRecords: 1_000, maxIntervalSeconds: 1 },
];

/** Limits so low that a short run reaches each of them. */
const drawLimits = (dice: Dice) => ({
  ...shipped,
  partitions,
  readBytesMax: 4_194_304,
  readIdleMillisMax: 100,
  sweepSliceBytesMax: dice.pick([500, 5_000, 1_000_000]),
  // Room for the good and one more, or for everybody.
  residentBuffersMax: dice.pick([8, 1_000]),
  hibernateAfterMillis: dice.pick([0, 700, 4_000]),
  sweepSliceMillisMax: dice.pick([20, 1_000]),
  sweepNearBytesMax: dice.pick([20, 1_000_000]),
  sweepBytesPerSecondMax: 1_000_000_000,
  // In the scripted log a message has one byte.
  logBytesMax: dice.pick([300, 100_000]),
  logMaxAgeSeconds: dice.pick([40, 100_000]),
  expiryPercent: 90,
  purgePercent: 60,
  replayWindowSecondsMax: 100_000,
  backlogBytesPerCustomerMax: 4_000,
  backlogAgeSecondsMax: dice.pick([25, 10_000]),
  backlogEasedPercent: 80,
  windowBytesMax: dice.pick([8_000, 1_000_000_000]),
  owns: true,
  bounds: { bytesMax: dice.pick([3_000, 1_000_000]), closedBatchesMax: dice.pick([1, 8]) },
  checkpointMillis: dice.pick([300, 1_000]),
  checkpointUrgentMillis: 250,
  checkpointCountMillis: dice.pick([2_000, 10_000]),
  checkpointSilenceMillisMax: 15_000,
  retryBaseMillis: 50,
  // Longer than a round of those who shed: a batch can be given up only between two attempts.
  retryMillisMax: dice.pick([1_500, 4_000]),
  suspendedProbeMillis: 5_000,
  unresolvedFailuresMax: 5,
  deadLettersInRowMax: 5,
  quarantineCrashesMax: 1_000,
  quarantineWindowMillis: 1_000,
  ...hostLimits,
  pushesInFlightMax: 8,
  slowPushesInFlightMax: 3,
  pushesPerHostMax: 2,
  pushesPerHostFirst: 2,
  drainMillisMax: 3_000,
  newcomerSeconds: 1,
});
