import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { answerCommand } from "../../../src/control/rollout/commands.ts";
import type { ControlOptions } from "../../../src/control/rollout/control-options.ts";
import { type Desk, openDesk } from "../../../src/control/rollout/desk.ts";
import { proposeIfDue } from "../../../src/control/rollout/next-rollout.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import type { ConfigStatus } from "../../../src/domain/config-report.ts";
import { limits } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";

/** In force: a configuration that this node serves. */
const inForce = { hash: "a".repeat(64), manifest: { number: 7, catalogue: { hash: "datasets" }, totals: {} } };

const start = Effect.gen(function* () {
  yield* TestClock.setTime(1_000_000);
  const world = { pending: 0, armed: "", catalogue: "datasets", behind: false };
  const options = {
    node: "one",
    limits,
    store: new ScriptedConfigStore().store,
    catalogue: () => ({ hash: world.catalogue }),
    current: () => (world.behind ? undefined : inForce),
    isCaughtUp: () => true,
    fetch: () => Effect.succeed(inForce),
    stored: {
      size: 1,
      get pending() {
        return world.pending;
      },
    },
    faults: { armed: () => world.armed },
  } as unknown as ControlOptions;
  const desk = yield* openDesk(options, new NodeReports());
  desk.state = { ...desk.state, published: { number: 7, hash: inForce.hash } };
  const refuse = (over: object = {}) => {
    const verdict = { refusals: [{ rule: "unexplained" }] };
    const snapshot = { hash: "b".repeat(64), manifest: { number: 8, createdMillis: 1_000_000 } };
    desk.refused = { rollbackOf: undefined, snapshot, verdict, ...over } as unknown as Desk["refused"];
  };
  /** After the process has had its turn; what is pending is frozen, so that only the refusal is about. */
  const isRefused = Effect.gen(function* () {
    desk.state = { ...desk.state, frozen: { who: "w", why: "", atMillis: 0 } };
    yield* proposeIfDue(desk);
    const { done } = (yield* answerCommand(desk, { op: "status" })) as { readonly done: ConfigStatus };
    return done.refusal !== null;
  });
  return { world, refuse, isRefused };
});

describe("what the gate has refused", () => {
  it.effect("stands as long as it is wanted, and no longer, whatever was taken back", () =>
    Effect.gen(function* () {
      const { isRefused, refuse, world } = yield* start;
      const faults: ReadonlyArray<Partial<typeof world>> = [
        { pending: 3 },
        { catalogue: "others" },
        { armed: "empty" },
        { behind: true },
      ];
      for (const fault of faults) {
        const well = { ...world };
        refuse();
        Object.assign(world, fault);
        assert.isTrue(yield* isRefused, JSON.stringify(fault));
        Object.assign(world, well);
        assert.isFalse(yield* isRefused, `${JSON.stringify(fault)} was taken back`);
      }
    }),
  );

  it.effect("of a rollback can be accepted for ten minutes, and is given up then", () =>
    Effect.gen(function* () {
      const { isRefused, refuse } = yield* start;
      refuse({ rollbackOf: inForce });
      assert.isTrue(yield* isRefused);
      yield* TestClock.adjust("10 minutes");
      assert.isTrue(yield* isRefused);
      yield* TestClock.adjust("1 second");
      assert.isFalse(yield* isRefused);
    }),
  );
});
