import { Clock, Context, Effect, Exit, Result, Scope } from "effect";
import { DrillFaults } from "../../../src/actors/ports/drill-faults.ts";
import { Jobs } from "../../../src/actors/ports/jobs.ts";
import { reportConfig } from "../../../src/node/report-config.ts";
import { RolloutSignals } from "../../../src/node/rollout-signals.ts";
import { runControl } from "../../../src/node/run-control.ts";
import { NodeConfiguration, serveJobs } from "../../../src/node/served-jobs.ts";
import { Nats } from "../../../src/streams/nats.ts";
import { encodeBlob } from "../../../src/snapshot/segment.ts";
import { makeWallClock, type WallClock } from "../../support/wall-clock.ts";
import type { RolloutWorld } from "./rollout-world.ts";
import { ScriptedDisk } from "./scripted-disk.ts";
import type { User } from "./scripted-snapshots.ts";

const catalogueBytes = Buffer.from("[]");
const catalogue = { content: catalogueBytes, hash: encodeBlob(catalogueBytes).hash };

/** What a node tells of the customers that a rollout has reached: all is well, or nothing gets through any more. */
class ScriptedSignals extends RolloutSignals {
  private readonly isBad: () => boolean;

  constructor(isBad: () => boolean) {
    super(() => new Map());
    this.isBad = isBad;
  }

  override read(number: number, nowMillis: number) {
    const signals = super.read(number, nowMillis);
    if (signals === undefined || !this.isBad()) return signals;
    return { ...signals, attempts: 100, failures: 100 };
  }
}

interface Process {
  readonly scope: Scope.Closeable;
  readonly configuration: NodeConfiguration["Service"];
  readonly jobs: Jobs["Service"];
}

/** A node of the cluster: its disk, its clock, and the process that runs on it, if one does. */
export class ClusterNode {
  readonly name: string;
  readonly disk = new ScriptedDisk();
  private readonly world: RolloutWorld;
  private readonly wall: WallClock;
  user: User = { isDead: true, isCut: false, isMute: false, damage: "none", dyingAfter: undefined };
  process: Process | undefined;
  /** Processes that ran on it so far. */
  runs = 0;
  /** Number of the snapshot on its disk when the process began. */
  beganWith = 0;

  private constructor(world: RolloutWorld, name: string, wall: WallClock) {
    this.world = world;
    this.name = name;
    this.wall = wall;
  }

  static readonly make = (world: RolloutWorld, name: string) =>
    Effect.map(makeWallClock, (wall) => new ClusterNode(world, name, wall));

  jumpClock(millis: number): void {
    this.wall.aheadMillis = millis;
  }

  /** Without the stores' answers it may not come up; then nothing has begun. */
  readonly start = Effect.suspend(() => {
    if (this.process !== undefined) return Effect.void;
    const { bus, jobs, snapshots, limits } = this.world;
    const user: User = { ...this.user, isDead: false, dyingAfter: undefined };
    this.user = user;
    return Effect.gen({ self: this }, function* () {
      // Whom the test's clock has woken it waits for, however often it gives way.
      yield* Effect.sleep(1);
      const scope = yield* Scope.make();
      const nats = bus.natsOf(user);
      const beganWith = this.disk.number;
      const options = { nodeName: this.name, limits, partitions: 4 };
      const begun = yield* Effect.result(
        Effect.gen({ self: this }, function* () {
          const served = yield* serveJobs(options, {
            bucket: jobs.bucketOf(user, nats.control),
            store: snapshots.storeOf(user),
            lastKnownGood: this.disk.lastKnownGoodOf(user),
            openings: [],
          });
          const configuration = Context.get(served, NodeConfiguration);
          yield* Effect.gen({ self: this }, function* () {
            yield* reportConfig(this.name, new ScriptedSignals(() => this.world.isDeliveryBad));
            yield* runControl({
              nodeName: this.name,
              limits,
              allowPrivateDestinations: false,
              audit: () => Effect.void,
              catalogue: () => catalogue,
              faults: this.world.generator.faults,
            });
          }).pipe(Effect.provideService(NodeConfiguration, configuration));
          return { scope, configuration, jobs: Context.get(served, Jobs) };
        }).pipe(
          Effect.provideService(Nats, nats),
          Effect.provideService(DrillFaults, this.world.switches),
          Effect.provideService(Clock.Clock, this.wall.clock),
          Scope.provide(scope),
          // A killed one that was waiting for an answer.
          Effect.timeout(3_000),
        ),
      );
      if (Result.isSuccess(begun)) {
        this.process = begun.success;
        this.beganWith = beganWith;
        this.runs += 1;
      } else {
        user.isDead = true;
        yield* Scope.close(scope, Exit.void);
      }
    });
  });

  /** As `kill -9`: whatever it does from now on changes nothing. */
  readonly kill = Effect.suspend(() => {
    const { process } = this;
    this.user.isDead = true;
    this.process = undefined;
    return process === undefined ? Effect.void : Scope.close(process.scope, Exit.void);
  });
}
