import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { assert } from "vitest";
import type { ConfigStatus } from "../../src/domain/config-report.ts";
import { type Cluster, onCluster } from "./rollouts/cluster.ts";

/** How a write of whoever leads ends: before or after it is stored, with the process or without. */
const endings = [
  { isStored: false, lives: false },
  { isStored: true, lives: false },
  { isStored: false, lives: true },
] as const;
type Ending = (typeof endings)[number];

/** More than there are between a command and the first word to a node. */
const writesMax = 30;

type Command = Readonly<Record<string, unknown>>;

/** @returns whether it was over before that write, and what has become of it */
const cutShort = Effect.fnUntraced(function* (
  cluster: Cluster,
  command: Command,
  { isStored, lives, writes }: Ending & { readonly writes: number },
) {
  const before = yield* cluster.status;
  const { leader } = cluster;
  const { snapshots } = cluster.world;
  const told = snapshots.everTold.length;
  leader.user.dyingAfter = { writes, isStored, lives };
  yield* cluster.order(command);
  yield* cluster.pass(3_000);
  const isOver = leader.user.dyingAfter !== undefined || snapshots.toldAtDeath > told;
  leader.user.dyingAfter = undefined;
  yield* cluster.startAll;
  return { after: yield* cluster.settled, before, isOver };
});

const textOf = (what: object, { rollout, frozen, inForce, last }: ConfigStatus): string =>
  JSON.stringify({ ...what, rollout, frozen, inForce, last: { ...last, verdict: null } });

/** Every write until a node is told of it, one after the other. */
const atEachWrite = async (
  live: (cluster: Cluster, ending: Ending & { readonly writes: number }) => Effect.Effect<boolean>,
): Promise<void> => {
  for (const ending of endings) {
    let writes = 1;
    while (writes < writesMax && !(await onCluster((cluster) => live(cluster, { ...ending, writes })))) writes += 1;
    assert.isTrue(writes > 4 && writes < writesMax, `${writes} writes`);
  }
};

describe("what a person has asked for survives whoever leads, at each of its writes", () => {
  it("a rollback is rolled out, or nothing of it was ever stored", { timeout: 240_000 }, () =>
    atEachWrite((cluster, ending) =>
      Effect.gen(function* () {
        const to = (yield* cluster.status).inForce!.number;
        cluster.world.edit(0, 2);
        yield* cluster.settled;
        const { after, before, isOver } = yield* cutShort(cluster, { op: "rollback", to, accept: null }, ending);
        const what = textOf(ending, after);
        if (ending.writes === 1 && !ending.isStored) {
          assert.deepStrictEqual([after.inForce?.hash, after.frozen], [before.inForce?.hash, null], what);
          return isOver;
        }
        assert.deepInclude(after.last, { result: "complete", rollbackOf: to, author: "person" }, what);
        assert.strictEqual(after.frozen?.who, "person", what);
        return isOver;
      }),
    ),
  );

  it("nodes go first, or it stays frozen", { timeout: 240_000 }, () =>
    atEachWrite((cluster, ending) =>
      Effect.gen(function* () {
        yield* cluster.ask({ op: "freeze" });
        cluster.world.edit(0, 2);
        yield* cluster.pass(1_000);
        const canaryNodes = ["bee"];
        const command = { op: "apply", accept: null, canaryNodes, unfreeze: true };
        const { after, isOver } = yield* cutShort(cluster, command, ending);
        const what = textOf(ending, after);
        const { everTold } = cluster.world.snapshots;
        const first = everTold.findIndex(({ canary }) => canary !== undefined);
        if (after.frozen !== null) {
          assert.deepStrictEqual([after.frozen.who, after.pending, first], ["person", 2, -1], what);
          assert.isTrue(ending.writes === 1 && !ending.isStored, what);
          return isOver;
        }
        assert.deepStrictEqual(everTold[first]?.canary?.nodes, canaryNodes, what);
        assert.strictEqual(everTold[first]?.hash, everTold[first - 1]?.hash, `nobody else was told before: ${what}`);
        assert.deepInclude(after.last, { result: "complete", author: "person", why: "test" }, what);
        return isOver;
      }),
    ),
  );

  it("but not when other jobs are stored meanwhile: then it is frozen again, which it says", () =>
    onCluster((cluster) =>
      Effect.gen(function* () {
        yield* cluster.ask({ op: "freeze" });
        cluster.world.edit(0, 2);
        yield* cluster.pass(1_000);
        const { leader } = cluster;
        leader.user.dyingAfter = { writes: 2, isStored: false };
        yield* cluster.order({ op: "apply", accept: null, canaryNodes: ["bee"], unfreeze: true });
        cluster.world.edit(5, 1);
        yield* cluster.pass(3_000);
        assert.isTrue(leader.user.isDead);
        yield* cluster.startAll;
        const after = yield* cluster.settled;
        const what = textOf({}, after);
        assert.strictEqual(after.frozen?.who, "person", what);
        assert.strictEqual(after.last?.result, "refused", what);
        assert.match(after.last!.reason, /other jobs are stored by now: it has to be asked for once more/);
        assert.isTrue(cluster.world.snapshots.everTold.every(({ canary }) => canary === undefined));
      }),
    ));
});

describe("whoever leads", () => {
  it("keeps the lead while it works for longer than others wait to hear of it", () =>
    onCluster((cluster) =>
      Effect.gen(function* () {
        const { snapshots } = cluster.world;
        const [leader, last] = [cluster.leader.name, snapshots.everTold.at(-1)!.number];
        snapshots.blobMillis = 8_000;
        cluster.world.addCustomers(10);
        yield* cluster.pass(7_500);
        assert.strictEqual(snapshots.everTold.at(-1)!.number, last, "it is being stored");
        yield* cluster.pass(2_500);
        const after = yield* cluster.settled;
        assert.deepStrictEqual([after.leader, after.pending, after.last?.result], [leader, 0, "complete"]);
        assert.strictEqual(snapshots.everTold.find(({ number }) => number > last)?.number, last + 8, "at the first go");
      }),
    ));
});
