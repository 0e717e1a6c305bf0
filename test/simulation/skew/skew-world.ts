import { Effect, Layer } from "effect";
import { Checkpoints } from "../../../src/actors/ports/checkpoints.ts";
import type { Log, LogMessage } from "../../../src/actors/ports/log.ts";
import { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import { drawLimits } from "../partition-world.ts";
import { ScriptedCheckpoints } from "../scripted-checkpoints.ts";
import { ScriptedLog } from "../scripted-log.ts";
import { ScriptedStore } from "../scripted-store.ts";
import { Absences } from "./absences.ts";
import { JobLedger } from "./job-ledger.ts";

/**
 * What is taken away from a run to see that its verdicts notice. `noNumbers`: chunks do not carry the number of their
 * set. `noGrace`: what is removed is gone at once. `olderTakesOver`: the register does not tell of which set its owner
 * was.
 */
export type Mutant = "noNumbers" | "noGrace" | "olderTakesOver";

/** A chunk that a forwarder stored and acknowledged. */
export interface Acknowledged {
  readonly sequence: number;
  readonly pairKey: string;
  /** Of the set that it was stored under. */
  readonly number: number;
  /** Jobs of its pair in the set that it was let in under. */
  readonly jobs: ReadonlyArray<string>;
}

/** A partition, its jobs and their snapshots, and what outlives the nodes that share it. */
export class SkewWorld {
  readonly dice: Dice;
  readonly log = new ScriptedLog();
  readonly checkpoints = new ScriptedCheckpoints();
  readonly store = new ScriptedStore();
  readonly letters = new Map<string, string>();
  readonly ledger: JobLedger;
  readonly absences: Absences;
  readonly graceSeconds: number;
  readonly mutant: Mutant | undefined;
  readonly limits: ReturnType<typeof drawLimits>;
  /** The snapshot that a node begins with when it is started again. */
  readonly disks = new Map<string, number>();
  readonly acknowledged: Array<Acknowledged> = [];
  /** Broken promises that were seen where throwing would not have ended the run. */
  readonly failures: Array<unknown> = [];
  /** Nothing is sent any more. */
  isQuiet = false;
  /** Everybody follows at once. */
  isSettling = false;
  /** By the test's clock. */
  nowMillis: () => number = () => 0;
  /** Records on receipts without a job. */
  unclaimed = 0;
  private incarnations = 0;

  constructor(seed: number, mutant?: Mutant) {
    this.dice = new Dice(seed);
    this.mutant = mutant;
    this.limits = drawLimits(this.dice);
    this.graceSeconds = this.dice.pick([3, 8, 20]);
    this.ledger = new JobLedger(this.dice);
    this.absences = new Absences(this.ledger, this.graceSeconds * 1_000);
    let highest = 0;
    this.checkpoints.onWrite = () => {
      const { snapshot } = this.checkpoints.register!;
      if (snapshot < highest) this.failures.push(new Error(`the partition went back to set ${snapshot}`));
      highest = snapshot;
    };
  }

  incarnation(): string {
    this.incarnations += 1;
    return `f${this.incarnations}`;
  }

  logOf(life: Life): Log["Service"] {
    const service = this.log.service(this.dice, life);
    if (this.mutant !== "noNumbers") return service;
    const numberless = (message: LogMessage): LogMessage => ({ ...message, jobSet: 0 });
    return { ...service, read: (...args) => Effect.map(service.read(...args), (all) => all.map(numberless)) };
  }

  checkpointsOf(life: Life): Layer.Layer<Checkpoints> {
    const service = this.checkpoints.service(this.dice, life);
    if (this.mutant !== "olderTakesOver") return Layer.succeed(Checkpoints, service);
    const forget = <A extends { readonly snapshot: number }>(register: A): A => ({ ...register, snapshot: 0 });
    return Layer.succeed(Checkpoints, {
      ...service,
      register: (partition) =>
        Effect.map(service.register(partition), (register) => (register === undefined ? undefined : forget(register))),
      claim: (...args) =>
        Effect.map(service.claim(...args), (claim) => ({ ...claim, register: forget(claim.register) })),
    });
  }
}
