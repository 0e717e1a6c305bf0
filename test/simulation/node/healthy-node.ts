import { Clock, Effect, Exit, Layer, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { Owner } from "../../../src/actors/owner.ts";
import { totalsOf } from "../../../src/actors/residency/accounts.ts";
import { Life } from "../life.ts";
import { inTime, stuck } from "../simulate-partition.ts";
import { assertAtAnyMoment, assertEnd, watchStored } from "./node-verdicts.ts";
import type { NodeWorld } from "./node-world.ts";

/** A node that has no faults of its own: what a test does to its surroundings is all that happens to it. */
export class HealthyNode {
  readonly world: NodeWorld;
  readonly owner: Owner["Service"];
  /** Records that the door took, and that it refused. */
  accepted = 0;
  refused = 0;
  private readonly ingest: (lines: ReadonlyArray<string>) => ReturnType<Effect.Success<NodeWorld["door"]>["ingest"]>;
  private readonly close: Effect.Effect<void>;

  constructor(
    world: NodeWorld,
    parts: {
      readonly owner: Owner["Service"];
      readonly ingest: HealthyNode["ingest"];
      readonly close: Effect.Effect<void>;
    },
  ) {
    this.world = world;
    this.owner = parts.owner;
    this.ingest = parts.ingest;
    this.close = parts.close;
  }

  /** @param clock the node's; a `TestClock` drives it */
  static readonly start = Effect.fnUntraced(function* (world: NodeWorld, clock: Clock.Clock) {
    watchStored(world);
    const scope = yield* Scope.make();
    const life = new Life("here", false);
    const both = Effect.all({ owner: Owner, door: world.door });
    const { door, owner } = yield* Layer.build(Layer.fresh(world.node(life, "run"))).pipe(
      Effect.flatMap((context) => Effect.provideContext(both, context)),
      Scope.provide(scope),
      Effect.provideService(Clock.Clock, clock),
    );
    world.residencies.add(owner.residency);
    const close = Effect.suspend(() => {
      life.isDead = true;
      return inTime(Scope.close(scope, Exit.void));
    });
    const ingest: HealthyNode["ingest"] = (lines) => door.ingest(lines).pipe(Effect.provideService(Clock.Clock, clock));
    return new HealthyNode(world, { owner, ingest, close });
  });

  /** Five times a second a record of each of these customers; and what must always be true is checked. */
  readonly run = Effect.fnUntraced(
    { self: this },
    function* (this: HealthyNode, seconds: number, customers: ReadonlyArray<string>) {
      const { world } = this;
      for (let step = 0; step < seconds * 5; step++) {
        const lines = customers.map((customer) => world.line(customer));
        const sending = yield* Effect.forkChild(lines.length === 0 ? Effect.undefined : this.ingest(lines));
        yield* TestClock.adjust(200);
        const exit = sending.pollUnsafe();
        assert.isDefined(exit, "the door answers");
        const answer = yield* exit!;
        if (answer !== undefined) {
          for (const [i, customer] of customers.entries()) world.note(customer, lines[i]!, answer.refused.get(i));
          this.accepted += answer.accepted;
          this.refused += answer.refused.size;
        }
        if (world.failures.length > 0) throw world.failures[0];
        assertAtAnyMoment(world, this.owner);
      }
    },
  );

  get pendingRecords(): number {
    return [...this.owner.owned().values()].reduce((sum, { state }) => sum + totalsOf(state).pending.records, 0);
  }

  /** Until nothing is pending. */
  readonly settle = Effect.fnUntraced({ self: this }, function* (this: HealthyNode, seconds: number) {
    for (let step = 0; this.pendingRecords > 0; step++) {
      yield* this.run(0.2, []);
      if (step > seconds * 5)
        assert.fail(`not settled in ${seconds} s: ${JSON.stringify(stuck(this.owner)).slice(0, 4_000)}`);
    }
  });

  /** Drains it; then all that it ever took is accounted for. */
  readonly end: Effect.Effect<void> = Effect.gen({ self: this }, function* (this: HealthyNode) {
    yield* inTime(this.owner.drain);
    yield* this.close;
    assertEnd(this.world);
  });
}
