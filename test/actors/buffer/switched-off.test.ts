import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { createActor } from "xstate";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { bufferMachine } from "../../../src/actors/buffer/machine.ts";
import { saveSnapshot } from "../../../src/actors/buffer/snapshot.ts";
import { KillSwitches } from "../../../src/actors/ports/kill-switches.ts";
import type { PushRequest } from "../../../src/actors/ports/destinations.ts";
import { heldRetryMillisMin } from "../../../src/actors/destination-host/switched-off.ts";
import { CustomerId } from "../../../src/domain/ids.ts";
import { deferred, delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";
import { aSwitch, ScriptedSwitches } from "../../support/scripted-switches.ts";
import { actorOptions, actorsOver, give, settle, started } from "./actor-world.ts";

const actors = (
  switches: ScriptedSwitches,
  push: (request: PushRequest, job: string) => Effect.Effect<PushOutcome>,
  pushesInFlightMax = 8,
) => actorsOver(push, pushesInFlightMax).pipe(Layer.provide(Layer.succeed(KillSwitches, switches)));

describe("a kill switch", () => {
  it.effect("holds the pushes of whom it names, counts no attempt, and lets them go on at once", () => {
    const switches = new ScriptedSwitches();
    const seen: Array<string> = [];
    return Effect.gen(function* () {
      const one = yield* started("job-1");
      const other = yield* started("job-2", { customer: CustomerId.make("customer-2") });
      switches.throw(aSwitch("customer", one.newest.job.customer));
      for (const buffer of [one, other]) give(buffer, 1);
      yield* settle;
      assert.deepStrictEqual(seen, ["job-2"]);
      assert.strictEqual(one.actor?.delivery(), "backingOff");
      assert.match(one.lastError ?? "", /the kill switch for customer customer-1 is on/);
      // It looks again and again for an hour, and nothing comes of it: neither a push nor a failure.
      yield* TestClock.adjust(3_600_000);
      yield* settle;
      assert.deepStrictEqual(seen, ["job-2"]);
      assert.deepInclude(one.actor?.context(), { failures: 0, ambiguous: false });
      assert.strictEqual(one.ledger.pendingRecords, 10);
      switches.throw();
      yield* settle;
      assert.deepStrictEqual(seen, ["job-2", "job-1"]);
      assert.deepStrictEqual([one.ledger.pendingRecords, one.cursor], [0, 1]);
    }).pipe(
      Effect.provide(
        actors(switches, (_, job) => {
          seen.push(job);
          return Effect.succeed(delivered(200));
        }),
      ),
    );
  });

  it.effect(
    "of a host holds all its jobs; what is under way is let finish, and what waits for a place is not begun",
    () =>
      Effect.gen(function* () {
        const switches = new ScriptedSwitches();
        const answer = yield* Deferred.make<PushOutcome>();
        const seen: Array<string> = [];
        const push = (_: PushRequest, job: string) => {
          seen.push(job);
          return Deferred.await(answer);
        };
        yield* Effect.gen(function* () {
          const [first, second] = [yield* started("job-1"), yield* started("job-2")];
          give(first, 1);
          yield* settle;
          give(second, 1);
          yield* settle;
          // One place: the second waits for it.
          assert.deepStrictEqual([seen, second.actor?.delivery()], [["job-1"], "pushing"]);
          switches.throw(aSwitch("destination", "test"));
          yield* Deferred.succeed(answer, delivered(200));
          yield* settle;
          assert.strictEqual(first.cursor, 1);
          assert.deepStrictEqual([seen, second.actor?.delivery()], [["job-1"], "backingOff"]);
          switches.throw(aSwitch("destination", "another"));
          yield* settle;
          assert.deepStrictEqual([seen, second.cursor], [["job-1", "job-2"], 1]);
        }).pipe(Effect.provide(actors(switches, push, 1)));
      }),
  );

  it.effect("that goes without being told lets go on all the same, at the next look", () => {
    const switches = new ScriptedSwitches();
    const deaf = Layer.succeed(KillSwitches, { current: switches.current, onChange: () => () => {} });
    let pushes = 0;
    const push = () => Effect.sync(() => ((pushes += 1), delivered(200)));
    return Effect.gen(function* () {
      switches.throw(aSwitch("everything", ""));
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* settle;
      switches.throw();
      yield* TestClock.adjust(heldRetryMillisMin - 1);
      assert.strictEqual(pushes, 0);
      yield* TestClock.adjust(5_000);
      yield* settle;
      assert.strictEqual(pushes, 1);
    }).pipe(Effect.provide(actorsOver(push).pipe(Layer.provide(deaf))));
  });

  it.effect("wakes what an earlier process held, too", () => {
    const switches = new ScriptedSwitches();
    let pushes = 0;
    const push = () => Effect.sync(() => ((pushes += 1), delivered(200)));
    return Effect.gen(function* () {
      const buffers = yield* BufferActors;
      const buffer = yield* started("job-1");
      const context = {
        ...buffer.actor!.context(),
        batch: { first: 1, last: 1, records: 10, bytes: 30, startMillis: 1_000, endMillis: 1_000, closedBy: "size" },
        backoffMillis: 15_000,
        retryAtMillis: 15_000,
      } as const;
      yield* buffers.stop(buffer);
      switches.throw(aSwitch("everything", ""));
      yield* buffers.start(buffer, "incarnation", saveSnapshot("backingOff", context), false);
      give(buffer, 1);
      yield* settle;
      assert.deepStrictEqual([pushes, buffer.actor?.delivery()], [0, "backingOff"]);
      switches.throw();
      yield* settle;
      assert.strictEqual(pushes, 1);
    }).pipe(Effect.provide(actors(switches, push)));
  });

  it.effect("does not wake what is isolated", () => {
    const switches = new ScriptedSwitches();
    let pushes = 0;
    const push = () => Effect.sync(() => ((pushes += 1), delivered(200)));
    return Effect.gen(function* () {
      switches.throw(aSwitch("dataset", "http_requests"));
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* settle;
      buffer.actor?.send({ type: "buffer.quarantine" });
      switches.throw();
      yield* settle;
      assert.deepStrictEqual([pushes, buffer.actor?.delivery()], [0, "quarantined"]);
    }).pipe(Effect.provide(actors(switches, push)));
  });
});

describe("a batch that may have landed, of a job that was revised meanwhile", () => {
  const answered = (attempt: number, outcome: PushOutcome) => ({
    type: "push.answered" as const,
    attempt,
    answer: { outcome, nowMillis: 0, jitter: 0.5, durationMillis: 0, bodyBytes: 0, written: { records: 0, bytes: 0 } },
  });
  const batch = { first: 1, last: 1, records: 10, bytes: 30, startMillis: 0, endMillis: 0, closedBy: "size" } as const;
  const ambiguous = () => {
    const actor = createActor(bufferMachine, { input: { job: "job-1", ...actorOptions } });
    actor.start();
    actor.send({ type: "batch.closed", batch });
    actor.send(answered(1, deferred("timeout", "no answer")));
    actor.send({ type: "job.revised" });
    assert.strictEqual(actor.getSnapshot().value.delivery, "pushing");
    return actor;
  };

  it("spends none of its last attempts while a switch is on: it would be cut anew, and delivered twice", () => {
    const actor = ambiguous();
    // One of two is left.
    actor.send(answered(2, deferred("timeout", "no answer")));
    actor.send({ type: "buffer.resume" });
    for (let look = 0; look < 20; look++) {
      actor.send(answered(3, deferred("switched-off", "held", { ambiguous: false, retryAfterMillis: 15_000 })));
      assert.strictEqual(actor.getSnapshot().value.delivery, "backingOff");
      actor.send({ type: "buffer.resume" });
    }
    assert.deepInclude(actor.getSnapshot().context, { ambiguous: true, revised: true, batch });
    actor.send(answered(3, delivered(200)));
    assert.strictEqual(actor.getSnapshot().value.delivery, "idle");
  });

  it("spends them on anything else", () => {
    const actor = ambiguous();
    for (const attempt of [2, 3]) {
      actor.send(answered(attempt, deferred("timeout", "no answer")));
      actor.send({ type: "buffer.resume" });
    }
    assert.isNull(actor.getSnapshot().context.batch);
  });
});
