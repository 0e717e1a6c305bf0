import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, References, Scope } from "effect";
import { TestClock } from "effect/testing";
import type { ConfigStatus } from "../../src/domain/config-report.ts";
import type { Limits } from "../../src/domain/limits.ts";
import type { ClusterNode } from "./rollouts/cluster-node.ts";
import { RolloutWorld } from "./rollouts/rollout-world.ts";

const lookMillis = 250;
const yields = 20;
/** Half of the customers, then all; each step is watched for twenty seconds. */
const slowly = { rolloutCanaryPercent: 50, rolloutWatchMillis: 20_000 };

/** Three nodes, all of them with a control process, whose signals are always good; and a person who looks. */
const cluster = Effect.fnUntraced(function* (limits: Partial<Limits> = slowly) {
  yield* TestClock.setTime(Date.UTC(2026, 10, 14, 11));
  const world = new RolloutWorld(undefined);
  Object.assign(world.limits, limits);
  const scope = yield* Effect.scope;
  yield* Effect.addFinalizer(() => Effect.forEach(world.nodes, ({ kill }) => kill, { discard: true }));
  const pass = Effect.fnUntraced(function* (millis: number) {
    for (let left = millis; left > 0; left -= lookMillis) {
      yield* TestClock.adjust(lookMillis);
      for (let i = 0; i < yields; i++) yield* Effect.yieldNow;
    }
  });
  const status = Effect.gen(function* () {
    const asked = yield* Effect.forkIn(world.command({ op: "status" }), scope);
    yield* pass(lookMillis);
    const answered = asked.pollUnsafe();
    return answered !== undefined && Exit.isSuccess(answered)
      ? (answered.value.done as ConfigStatus | undefined)
      : undefined;
  });
  const until = Effect.fnUntraced(function* (what: string, isSo: (status: ConfigStatus) => boolean) {
    for (let millis = 0; millis < 120_000; millis += lookMillis) {
      const now = yield* status;
      if (now !== undefined && isSo(now)) return now;
    }
    return assert.fail(`never: ${what}; ${JSON.stringify(yield* status)}`);
  });
  for (const name of ["ant", "bee", "cow"]) yield* Effect.forkIn(world.addNode(name), scope);
  yield* until("all serve", ({ inForce, nodes }) => nodes.length === 3 && nodes.every(servesIt(inForce)));
  /** A change of ten customers is on its way to half of them. */
  const watched = Effect.gen(function* () {
    world.edit(0, 20);
    return yield* until("it is watched", ({ rollout }) => rollout.state === "watching");
  });
  const nodeOf = (name: string) => world.nodes.find((node) => node.name === name)!;
  const othersThan = (leader: string) => world.nodes.filter(({ name }) => name !== leader);
  const begin = ({ start }: ClusterNode) => Effect.forkIn(start, scope);
  return { world, begin, until, watched, pass, nodeOf, othersThan };
});

const servesIt =
  (inForce: ConfigStatus["inForce"]) =>
  ({ serves }: ConfigStatus["nodes"][number]) =>
    inForce !== null && serves?.hash === inForce.hash;

const isOver = ({ last, rollout }: ConfigStatus, { rollout: { target } }: ConfigStatus) =>
  rollout.state === "idle" && last?.number === target?.number;

/** As SIGTERM: it ends in order, and says so. */
const stop = (node: ClusterNode) =>
  Effect.suspend(() => {
    const { process } = node;
    node.process = undefined;
    return process === undefined ? Effect.void : Scope.close(process.scope, Exit.void);
  });

const quietly = Effect.provideService(References.MinimumLogLevel, "None");

describe("a node that falls silent while a share of the customers is watched", () => {
  it.effect(
    "takes the rollout back, however well the others say it goes",
    () =>
      Effect.gen(function* () {
        const { othersThan, until, watched } = yield* cluster();
        const canary = yield* watched;
        const [dying, living] = othersThan(canary.leader);
        yield* dying!.kill;
        const over = yield* until("it is over", (status) => isOver(status, canary));
        assert.strictEqual(over.last?.result, "rolledBack");
        assert.strictEqual(over.last?.reason, `nothing is heard of how it goes on ${dying!.name}`);
        assert.strictEqual(over.frozen?.who, "spillway");
        yield* until("the others are back", ({ inForce, nodes }) =>
          nodes.filter(({ node }) => node !== dying!.name).every(servesIt(inForce)),
        );
        assert.isDefined(living!.process);
      }).pipe(quietly),
    60_000,
  );

  it.effect(
    "takes it back as well when it has come again: it may have died of what it serves",
    () =>
      Effect.gen(function* () {
        const { begin, othersThan, until, watched } = yield* cluster();
        const canary = yield* watched;
        const [dying] = othersThan(canary.leader);
        yield* dying!.kill;
        yield* begin(dying!);
        const over = yield* until("it is over", (status) => isOver(status, canary));
        assert.strictEqual(over.last?.reason, `nothing is heard of how it goes on ${dying!.name}`);
      }).pipe(quietly),
    60_000,
  );

  it.effect(
    "is not forgotten when it led: another one leads, and takes the rollout back",
    () =>
      Effect.gen(function* () {
        const { nodeOf, until, watched } = yield* cluster();
        const canary = yield* watched;
        yield* nodeOf(canary.leader).kill;
        const over = yield* until("it is over", (status) => isOver(status, canary));
        assert.notStrictEqual(over.leader, canary.leader);
        assert.strictEqual(over.last?.reason, `nothing is heard of how it goes on ${canary.leader}`);
      }).pipe(quietly),
    60_000,
  );

  it.effect(
    "is waited for when the step was watched too shortly to notice, and not passed over",
    () =>
      Effect.gen(function* () {
        const { othersThan, until, watched } = yield* cluster({ rolloutCanaryPercent: 50, rolloutWatchMillis: 1_000 });
        const canary = yield* watched;
        yield* othersThan(canary.leader)[0]!.kill;
        const over = yield* until("it is over", (status) => isOver(status, canary));
        assert.strictEqual(over.last?.result, "rolledBack");
        assert.match(over.last?.reason ?? "", /nodes did not serve it in time|nothing is heard of/);
      }).pipe(quietly),
    60_000,
  );

  it.effect(
    "may do so when it ends in order, and may come again",
    () =>
      Effect.gen(function* () {
        const { begin, othersThan, pass, until, watched } = yield* cluster();
        const canary = yield* watched;
        const [leaving] = othersThan(canary.leader);
        yield* stop(leaving!);
        yield* pass(5_000);
        yield* begin(leaving!);
        const over = yield* until("it is over", (status) => isOver(status, canary));
        assert.strictEqual(over.last?.result, "complete", over.last?.reason);
        assert.isTrue(over.nodes.every(servesIt(over.inForce)));
      }).pipe(quietly),
    60_000,
  );

  it.effect(
    "does not stop a small change: one that dies meanwhile is chance",
    () =>
      Effect.gen(function* () {
        const { othersThan, until, world } = yield* cluster();
        const before = yield* until("idle", ({ pending, rollout }) => rollout.state === "idle" && pending === 0);
        world.edit(0, 1);
        yield* othersThan(before.leader)[0]!.kill;
        const after = yield* until("it is over", ({ last }) => last!.number > before.last!.number);
        assert.strictEqual(after.last?.result, "complete", after.last?.reason);
        assert.isNull(after.frozen);
      }).pipe(quietly),
    60_000,
  );
});
