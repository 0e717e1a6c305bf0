import type { FaultName, GuardName } from "../../../src/domain/drill-state.ts";
import type { Limits } from "../../../src/domain/limits.ts";
import type { KeptSnapshot } from "../../../src/serving/last-known-good.ts";
import { configControlSubject } from "../../../src/streams/subjects.ts";
import { limits } from "../../support/world.ts";
import { Dice } from "../dice.ts";
import { type Watched, type ServedAt } from "./config-verdicts.ts";
import { OrderedJobs } from "./job-history.ts";
import { ScriptedBus } from "./scripted-bus.ts";
import { ScriptedConfigs } from "./scripted-configs.ts";

/** What outlives any node: the stores, and the nodes' disks. */
export class ConfigWorld {
  readonly dice: Dice;
  readonly ordered = new OrderedJobs();
  readonly bus = new ScriptedBus();
  readonly configs = new ScriptedConfigs(this.bus);
  readonly cell = "2024-11-14T00:00:00Z";
  readonly disks = new Map<string, KeptSnapshot>();
  /** By node: what it served last. */
  readonly lastServed = new Map<string, ServedAt>();
  readonly armed = new Set<FaultName | "generator.drops">();
  readonly guardsOff = new Set<GuardName>();
  /** Broken promises that were seen where throwing would not have ended the run. */
  readonly failures: Array<unknown> = [];
  readonly counts = { sets: 0, rollbacks: 0, refusals: 0, killed: 0, accepted: 0 };
  readonly limits: Limits = {
    ...limits,
    jobsMax: 2_000,
    smallChangeJobsMax: 3,
    addedPercentMax: 20,
    redirectedPercentMax: 40,
    removalGraceSeconds: 20,
    rolloutCanaryPercent: 10,
    rolloutWatchMillis: 1_500,
    rolloutAdoptMillisMax: 4_000,
    rolloutSilenceMillisMax: 4_000,
  };
  readonly drill = {
    isArmed: (name: FaultName) => this.armed.has(name),
    isGuardOn: (name: GuardName) => !this.guardsOff.has(name),
  };

  constructor(seed: number) {
    this.dice = new Dice(seed);
  }

  /** What a person asks the control process that leads; undefined: nobody answers. */
  async ask(command: object): Promise<Record<string, unknown> | undefined> {
    const answer = await this.bus.request(
      configControlSubject,
      JSON.stringify({ who: "a person", why: "", ...command }),
    );
    return answer === undefined ? undefined : (JSON.parse(answer) as Record<string, unknown>);
  }

  watched(): Watched {
    const { configs, limits: bounds, ordered } = this;
    return { accepted: configs.accepted, manifests: configs.everManifests, limits: bounds, ordered };
  }
}
