import { Effect, References, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import type { ConfigStatus } from "../../../src/domain/config-report.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { passTime } from "./pass-time.ts";
import { RolloutVerdicts } from "./rollout-verdicts.ts";
import { type Answer, RolloutWorld } from "./rollout-world.ts";
import { layerSimulatedClock } from "../simulated-clock.ts";

const answerMillis = 500;
const settleMillisMax = 60_000;

type Command = Readonly<Record<string, unknown>>;

/** Three nodes that serve their first configuration, and a person who asks one thing after the other. */
export class Cluster {
  readonly world: RolloutWorld;
  readonly pass: (millis: number) => Effect.Effect<void>;
  private readonly scope: Scope.Scope;

  constructor(world: RolloutWorld, scope: Scope.Scope) {
    const verdicts = new RolloutVerdicts(world);
    this.world = world;
    this.scope = scope;
    this.pass = passTime(world, () => verdicts.look());
  }

  /** Nobody waits for the answer. */
  order(command: Command) {
    return Effect.forkIn(this.world.command(command), this.scope);
  }

  ask(command: Command): Effect.Effect<Answer> {
    return Effect.gen({ self: this }, function* () {
      const asked = yield* this.order(command);
      yield* this.pass(answerMillis);
      const exit = asked.pollUnsafe();
      return exit?._tag === "Success" ? exit.value : {};
    });
  }

  /** Undefined: nobody answers. */
  readonly statusIfAny = Effect.map(
    Effect.suspend(() => this.ask({ op: "status" })),
    ({ done }) => done as ConfigStatus | undefined,
  );

  readonly status = Effect.map(
    Effect.suspend(() => this.statusIfAny),
    (status) => status ?? assert.fail("nobody leads"),
  );

  get leader(): ClusterNode {
    return this.world.nodes.find(({ name }) => name === this.leads) ?? assert.fail("nobody leads");
  }

  readonly startAll = Effect.suspend(() =>
    Effect.forkIn(
      Effect.forEach(this.world.nodes, ({ start }) => start, { discard: true }),
      this.scope,
    ),
  );

  private get leads(): unknown {
    return this.world.snapshots.stateNow("leader")?.["node"];
  }

  /** When nothing is under way any more, and nothing has been for a second. */
  readonly settled = Effect.suspend(() => this.whenSettled());

  private whenSettled() {
    return Effect.gen({ self: this }, function* () {
      let quiet = 0;
      for (let millis = 0; millis < settleMillisMax; millis += 2 * answerMillis) {
        yield* this.pass(answerMillis);
        const status = yield* this.statusIfAny;
        const isWaiting = status?.frozen === null && status.pending > 0 && status.refusal === null;
        const isQuiet = status !== undefined && status.rollout.state === "idle" && !isWaiting;
        quiet = isQuiet ? quiet + 1 : 0;
        if (quiet > 1) return status!;
      }
      return assert.fail(`it has not settled: ${JSON.stringify(yield* this.statusIfAny)}`);
    });
  }
}

/** A cluster of its own, in a test clock's time. */
export const onCluster = <A>(
  live: (cluster: Cluster) => Effect.Effect<A>,
  prepare: (world: RolloutWorld) => void = () => {},
): Promise<A> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.UTC(2026, 10, 14, 11));
    const world = new RolloutWorld(undefined);
    prepare(world);
    const scope = yield* Effect.scope;
    yield* Scope.addFinalizer(
      scope,
      Effect.forEach(world.nodes, ({ kill }) => kill, { discard: true }),
    );
    const cluster = new Cluster(world, scope);
    for (const name of ["ant", "bee", "cow"]) yield* Effect.forkIn(world.addNode(name), scope);
    yield* cluster.pass(1_000);
    yield* cluster.settled;
    return yield* live(cluster);
  }).pipe(
    Effect.scoped,
    Effect.provide(layerSimulatedClock),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.runPromise,
  );
