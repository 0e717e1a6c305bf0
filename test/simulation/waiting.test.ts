import { describe, it } from "@effect/vitest";
import { Clock, Effect, Random, References } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { accountsOf } from "../../src/actors/residency/accounts.ts";
import { jobSetOf, storedJob } from "../support/world.ts";
import { HealthyNode } from "./node/healthy-node.ts";
import { NodeWorld } from "./node/node-world.ts";
import { layerSimulatedClock } from "./simulated-clock.ts";

const batch = { maxBytes: 1_000, maxRecords: 1_000, maxIntervalSeconds: 1 };

/** One place, held by `dog`, whose destination hangs; `ant` has none as long as it does. */
const world = (limits: Partial<NodeWorld["limits"]>) => {
  const all = new NodeWorld(3);
  const jobs = ["dog", "ant"].map((customer) =>
    storedJob(`${customer}-0`, customer, { batch, onOverload: customer === "ant" ? "shedOldest" : "refuse" }),
  );
  Object.assign(all, { jobs: jobSetOf(jobs, all.logs.length) });
  Object.assign(all.limits, {
    residentBuffersMax: 1,
    hibernateAfterMillis: 4_000,
    logMaxAgeSeconds: 100_000,
    logBytesMax: 1_000_000,
    backlogAgeSecondsMax: 100_000,
    backlogBytesPerCustomerMax: 1_000_000,
    windowBytesMax: 1_000_000_000,
    bounds: { bytesMax: 100_000, closedBatchesMax: 8 },
    ...limits,
  });
  return all;
};

const accountOf = ({ owner }: HealthyNode, job: string) => {
  for (const { state } of owner.owned().values())
    for (const account of accountsOf(state)) if (account.job === job) return account;
  throw new Error(`${job} has no account`);
};

const receiptsOf = ({ checkpoints }: NodeWorld, job: string) =>
  checkpoints.flatMap(({ receipts }) => [...receipts.values()]).filter((receipt) => receipt.job === job);

const simulated = <A, E>(effect: Effect.Effect<A, E>) =>
  effect.pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(3),
    Effect.provideService(References.MinimumLogLevel, "None"),
  );

const start = Effect.fnUntraced(function* (limits: Partial<NodeWorld["limits"]>) {
  yield* TestClock.adjust("10 hours");
  const node = yield* HealthyNode.start(world(limits), yield* Clock.Clock);
  // Both are no newcomers, which the door would hold back while there is no place for them. Then both hibernate.
  yield* node.run(0.8, ["dog", "ant"]);
  yield* node.settle(20);
  yield* node.run(3, []);
  node.world.tempers.set("dog", "hanging");
  yield* node.run(3, ["dog"]);
  assert.strictEqual(node.refused, 0);
  return node;
});

describe("a buffer that waits for a place", () => {
  it.live("has in its books what the log has forgotten meanwhile, and receipts for it once it wakes", () =>
    simulated(
      Effect.gen(function* () {
        const node = yield* start({});
        const { world: all } = node;
        yield* node.run(20, ["dog", "ant"]);
        const before = accountOf(node, "ant-0");
        assert.strictEqual(before.place, "waiting");
        assert.strictEqual(before.books.pending.records, 100);
        // JetStream's own limits, for nobody expires the records of a buffer that waits.
        const log = all.logOf("ant.http_requests");
        const lost = log.referenceFor("ant.http_requests", 0).own.slice(4, 44);
        log.purgedTo = lost.at(-1)!.sequence;
        yield* node.run(5, ["dog", "ant"]);
        const meanwhile = accountOf(node, "ant-0");
        assert.strictEqual(meanwhile.place, "waiting");
        assert.strictEqual(meanwhile.books.pending.records, 125, "not known to be lost before it is looked for");
        assert.deepStrictEqual(receiptsOf(all, "ant-0"), []);

        all.tempers.clear();
        yield* node.settle(60);
        yield* node.run(3, []);
        const { books } = accountOf(node, "ant-0");
        const bytes = lost.reduce((sum, { raw }) => sum + raw.length, 0);
        assert.deepStrictEqual(books.expired, { records: 40, bytes });
        assert.strictEqual(books.delivered.records + books.deadLettered.records, 4 + 85);
        const told = receiptsOf(all, "ant-0").filter(({ reason }) => reason === "expired");
        assert.strictEqual(told.at(-1)!.lastSequence, log.purgedTo, "and not of what is still there");
        yield* node.end;
      }),
    ),
  );

  it.live("is refused at the door while it is over its quota, and sheds with receipts once it has a place", () =>
    simulated(
      Effect.gen(function* () {
        const quota = 4_000;
        const node = yield* start({ backlogBytesPerCustomerMax: quota });
        const { world: all } = node;
        for (let i = 0; node.refused === 0; i++) {
          yield* node.run(1, ["ant"]);
          if (i > 60) assert.fail("it is never refused");
        }
        assert.strictEqual(accountOf(node, "ant-0").place, "waiting");
        const { pending } = accountOf(node, "ant-0").books;
        assert.isAbove(pending.bytes, quota);
        assert.isBelow(pending.bytes, 2 * quota);
        assert.deepStrictEqual(receiptsOf(all, "ant-0"), [], "nothing is given up of what was taken");
        yield* node.run(5, ["ant"]);
        assert.deepStrictEqual(accountOf(node, "ant-0").books.pending, pending, "all of it is refused");

        // The place is free, and its own destination takes nothing.
        all.tempers.clear();
        all.tempers.set("ant", "failing");
        yield* node.run(15, []);
        const { books, place } = accountOf(node, "ant-0");
        assert.strictEqual(place, "resident");
        assert.isAbove(books.shed.records, 0);
        assert.isAtMost(books.pending.bytes, quota * 0.8);
        const told = receiptsOf(all, "ant-0").filter(({ reason }) => reason === "shed");
        assert.strictEqual(
          told.reduce((sum, { records }) => sum + records, 0),
          books.shed.records,
        );
        all.tempers.clear();
        yield* node.settle(60);
        yield* node.end;
      }),
    ),
  );
});
