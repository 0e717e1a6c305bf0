import { assert, describe, it } from "@effect/vitest";
import { Clock, Deferred, Effect, Fiber, Layer } from "effect";
import { TestClock } from "effect/testing";
import { DestinationHosts } from "../../../src/actors/destination-host/destination-hosts.ts";
import { layerPlacedDestinations } from "../../../src/actors/destination-host/placed-destinations.ts";
import { KillSwitches, type KillSwitchesView, noKillSwitches } from "../../../src/actors/ports/kill-switches.ts";
import { Destinations, type PushRequest } from "../../../src/actors/ports/destinations.ts";
import { deferred, delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";
import { jobTo } from "../../destinations/push-jobs.ts";
import { hostLimits } from "../../support/host-limits.ts";
import { aSwitch, ScriptedSwitches } from "../../support/scripted-switches.ts";
import { makeWallClock } from "../../support/wall-clock.ts";

const request: PushRequest = {
  batch: { first: 1, last: 1, records: 1, bytes: 10, startMillis: 0, endMillis: 0, closedBy: "size" },
  batchId: "id",
  hex: "00000000",
  attempt: 1,
  body: [],
  bodyBytes: 0,
};

const over = (
  push: () => Effect.Effect<PushOutcome>,
  pushesInFlightMax: number,
  switches: KillSwitchesView = noKillSwitches,
) =>
  layerPlacedDestinations("replay").pipe(
    Layer.provide(Layer.succeed(KillSwitches, switches)),
    Layer.provide(
      Layer.succeed(Destinations, { open: () => Effect.succeed({ push, locate: () => "test", host: "test:1" }) }),
    ),
    Layer.provideMerge(DestinationHosts.layer({ ...hostLimits, pushesInFlightMax })),
  );

const open = Effect.flatMap(Destinations, (destinations) =>
  destinations.open(jobTo({ kind: "http", url: "http://127.0.0.1:1/" })),
);

const turns = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true });
const inFlight = Effect.map(DestinationHosts, (hosts) => hosts.hosts(10).reduce((sum, each) => sum + each.inFlight, 0));

describe("a push beside the live delivery", () => {
  it.effect("waits for a place, and gives it back however it ends", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<PushOutcome>();
      let begun = 0;
      const push = () =>
        Effect.andThen(
          Effect.sync(() => void (begun += 1)),
          Deferred.await(answer),
        );
      yield* Effect.gen(function* () {
        const destination = yield* open;
        const [first, second, third] = yield* Effect.forEach([1, 2, 3], () =>
          Effect.forkChild(destination.push(request)),
        );
        yield* turns;
        assert.strictEqual(begun, 1);
        // One that waits and one that pushes are interrupted: the third gets the place.
        yield* Fiber.interrupt(second!);
        yield* Fiber.interrupt(first!);
        yield* turns;
        assert.strictEqual(begun, 2);
        yield* Deferred.succeed(answer, delivered(200));
        assert.strictEqual((yield* Fiber.join(third!))._tag, "Delivered");
        yield* turns;
        assert.strictEqual(yield* inFlight, 0);
      }).pipe(Effect.scoped, Effect.provide(over(push, 1)));
    }),
  );

  it.effect("does not begin while a kill switch is on, whether it was on before or came while it waited", () =>
    Effect.gen(function* () {
      const switches = new ScriptedSwitches();
      const answer = yield* Deferred.make<PushOutcome>();
      let begun = 0;
      const push = () =>
        Effect.andThen(
          Effect.sync(() => void (begun += 1)),
          Deferred.await(answer),
        );
      const reasonOf = (outcome: PushOutcome) => (outcome._tag === "Deferred" ? outcome.reason : outcome._tag);
      yield* Effect.gen(function* () {
        const destination = yield* open;
        const [first, second] = yield* Effect.forEach([1, 2], () => Effect.forkChild(destination.push(request)));
        yield* turns;
        switches.throw(aSwitch("destination", "test:1"));
        assert.strictEqual(reasonOf(yield* destination.push(request)), "switched-off");
        yield* Deferred.succeed(answer, delivered(200));
        assert.strictEqual(reasonOf(yield* Fiber.join(first!)), "Delivered");
        assert.strictEqual(reasonOf(yield* Fiber.join(second!)), "switched-off");
        assert.strictEqual(begun, 1);
        assert.strictEqual(yield* inFlight, 0);
        switches.throw();
        assert.strictEqual(reasonOf(yield* destination.push(request)), "Delivered");
      }).pipe(Effect.scoped, Effect.provide(over(push, 1, switches)));
    }),
  );

  it.effect("is not tried while the host's circuit is open", () => {
    let pushes = 0;
    const push = () =>
      Effect.sync(() => {
        pushes += 1;
        return deferred("connection-refused", "refused", { ambiguous: false });
      });
    return Effect.gen(function* () {
      const destination = yield* open;
      const outcomes: Array<PushOutcome> = [];
      for (let i = 0; i < 20; i++) outcomes.push(yield* destination.push({ ...request, attempt: i + 1 }));
      const last = outcomes.at(-1);
      assert.strictEqual(last?._tag === "Deferred" ? last.reason : last?._tag, "circuit-open");
      assert.isBelow(pushes, 20);
    }).pipe(Effect.scoped, Effect.provide(over(push, 8)));
  });

  it.effect("is tried again in time when the clock is set back an hour while the circuit is open", () => {
    let isWell = false;
    const push = () =>
      Effect.sync(() => (isWell ? delivered(200) : deferred("connection-refused", "refused", { ambiguous: false })));
    return Effect.gen(function* () {
      const wall = yield* makeWallClock;
      wall.aheadMillis = 7_200_000;
      yield* Effect.gen(function* () {
        const destination = yield* open;
        const hosts = yield* DestinationHosts;
        let last: PushOutcome | undefined;
        for (let i = 0; i < 20; i++) last = yield* destination.push({ ...request, attempt: i + 1 });
        assert.strictEqual(last?._tag === "Deferred" ? last.reason : undefined, "circuit-open");
        const [report] = hosts.hosts(1);
        assert.isAbove(report!.notBeforeMillis, 7_200_000, "people are told by the clock on the wall");
        assert.isAtLeast(report!.evidence!.millis, 7_200_000);
        wall.aheadMillis -= 3_600_000;
        isWell = true;
        yield* TestClock.adjust(2 * hostLimits.circuitOpenMillisMax);
        assert.strictEqual((yield* destination.push(request))._tag, "Delivered");
      }).pipe(Effect.scoped, Effect.provide(over(push, 8)), Effect.provideService(Clock.Clock, wall.clock));
    });
  });
});
