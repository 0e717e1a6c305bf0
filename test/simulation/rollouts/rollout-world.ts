import { Effect } from "effect";
import type { DrillSwitches } from "../../../src/actors/ports/drill-faults.ts";
import type { Limits } from "../../../src/domain/limits.ts";
import type { PushJob } from "../../../src/domain/push-job.ts";
import { askControl } from "../../../src/streams/config-messages.ts";
import { Nats } from "../../../src/streams/nats.ts";
import { limits, storedJob } from "../../support/world.ts";
import { BrokenGenerator } from "./broken-generator.ts";
import { ClusterNode } from "./cluster-node.ts";
import { ScriptedBus } from "./scripted-bus.ts";
import { ScriptedJobs } from "./scripted-jobs.ts";
import { ScriptedSnapshots } from "./scripted-snapshots.ts";

/** A protection that is missing: without it the property must not hold. */
export type Mutant = "noGate" | "noServingGate" | "noLastKnownGood";

/** Customers with two jobs each, to begin with. */
const customersAtFirst = 30;

/** As a client's. */
const answerMillisMax = 5_000;

/** A cluster of nodes and its people, who know only what they ordered. */
export class RolloutWorld {
  readonly bus = new ScriptedBus();
  readonly jobs = new ScriptedJobs(this.bus);
  readonly snapshots = new ScriptedSnapshots(this.bus);
  readonly generator = new BrokenGenerator();
  readonly nodes: Array<ClusterNode> = [];
  /** Hashes of the snapshots whose blast radius a person has accepted. */
  readonly accepted = new Set<string>();
  readonly limits: Limits = {
    ...limits,
    smallChangeJobsMax: 3,
    removedPercentMax: 10,
    removedDatasetPercentMax: 20,
    servedRemovedPercentMax: 20,
    addedPercentMax: 10,
    jobsMax: 1_000,
    configSnapshotsMax: 40,
    rolloutCanaryPercent: 10,
    rolloutWatchMillis: 1_500,
    rolloutAdoptMillisMax: 6_000,
    rolloutSilenceMillisMax: 4_000,
    rolloutBreachesMax: 2,
    removalGraceSeconds: 5,
  };
  readonly switches: DrillSwitches;
  isDeliveryBad = false;
  beforeOffer: () => void = () => {};
  private customers = 0;
  private edits = 0;

  constructor(mutant: Mutant | undefined) {
    this.generator.isGateOn = mutant !== "noGate";
    this.switches = {
      isArmed: () => false,
      isGuardOn: (name) => {
        if (name !== "servingGate") return true;
        // Asked with each snapshot that a node is about to judge: the last moment at which the one before is seen.
        this.beforeOffer();
        return mutant !== "noServingGate";
      },
    };
    this.addCustomers(customersAtFirst);
    this.mutant = mutant;
  }

  private readonly mutant: Mutant | undefined;

  addNode(name: string) {
    return Effect.gen({ self: this }, function* () {
      const node = yield* ClusterNode.make(this, name);
      node.disk.isForgetful = this.mutant === "noLastKnownGood";
      this.nodes.push(node);
      yield* node.start;
    });
  }

  addCustomers(count: number): void {
    for (let i = 0; i < count; i++) {
      const customer = `drill-ab-${this.customers++}`;
      for (const dataset of ["http_requests", "dns_logs"]) {
        const id = `${customer}-${dataset.replace("_", "-")}`;
        this.jobs.put(storedJob(id, customer, { dataset: dataset as PushJob["dataset"] }).job);
      }
    }
  }

  /** Each changes `count` jobs, beginning with the one at `from`. */
  edit(from: number, count: number): void {
    for (const job of this.some(from, count)) {
      const batch = { ...job.batch, maxRecords: 1_000 + (++this.edits % 1_000) };
      this.jobs.put({ ...job, batch });
    }
  }

  enable(from: number, count: number, enabled: boolean): void {
    for (const job of this.some(from, count)) if (job.enabled !== enabled) this.jobs.put({ ...job, enabled });
  }

  /** Not the last ones: that nobody is to get any logs is not what is tested. */
  remove(from: number, count: number): void {
    for (const { id } of this.some(from, Math.min(count, this.jobs.jobs().length - 10))) this.jobs.remove(id);
  }

  /** Nothing may be delivered there: no gate lets it past. */
  redirectInside(from: number): void {
    for (const job of this.some(from, 1)) {
      const { batch, customer, dataset, enabled, id } = job;
      const destination = { kind: "http", url: "http://127.0.0.1/", method: "POST" } as never;
      this.jobs.put({ ...storedJob(id, customer, { dataset, enabled, batch }).job, destination });
    }
  }

  /** Whoever was sent inside is sent to where it was. */
  repair(): void {
    for (const job of this.jobs.jobs())
      if (job.destination.kind !== "file") this.jobs.put({ ...job, destination: { kind: "file", path: "/nowhere" } });
  }

  /** Whoever leads may be dead, or die of it: nobody waits for the answer for long. */
  command(command: Readonly<Record<string, unknown>>) {
    const link = { isDead: false, isCut: false };
    return askControl({ who: "person", why: "test", ...command }).pipe(
      Effect.timeoutOption(answerMillisMax),
      Effect.provideService(Nats, this.bus.natsOf(link)),
      Effect.map((answer) => (answer._tag === "Some" ? (answer.value as Answer) : {})),
      Effect.catch(() => Effect.succeed<Answer>({})),
    );
  }

  /** Whatever is refused and can be accepted is accepted, by somebody who has looked at it. */
  readonly accept = Effect.gen({ self: this }, function* () {
    const { verdict } = ((yield* this.command({ op: "plan" })).done ?? {}) as Plan;
    if (verdict == null || verdict.passed || !verdict.refusals.every(({ acceptable }) => acceptable)) return;
    this.accepted.add(verdict.snapshot);
    yield* this.command({ op: "apply", accept: verdict.snapshot });
  });

  private some(from: number, count: number): ReadonlyArray<PushJob> {
    const jobs = this.jobs.jobs();
    return Array.from({ length: Math.max(0, Math.min(count, jobs.length)) }, (_, i) => jobs[(from + i) % jobs.length]!);
  }
}

export interface Answer {
  readonly done?: unknown;
}

interface Plan {
  readonly verdict?: {
    readonly snapshot: string;
    readonly passed: boolean;
    readonly refusals: ReadonlyArray<{ readonly acceptable: boolean }>;
  } | null;
}
