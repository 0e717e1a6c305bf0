import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { guardsOffOf } from "../../src/cli/drill/guard-flags.ts";
import { drills } from "../../src/drill/catalogue.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

describe("spillway drill list", () => {
  it.live("names every drill, for people and for programs", () =>
    Effect.gen(function* () {
      const text = yield* runSpillway(["drill", "list"]);
      assert.strictEqual(text.code, 0, text.stderr);
      for (const { name, summary } of drills) assert.include(text.stdout, summary, name);
      const json = yield* runSpillway(["drill", "list", "--json"]);
      const listed = (JSON.parse(json.stdout) as { drills: ReadonlyArray<{ name: string; bars: Array<object> }> })
        .drills;
      assert.deepStrictEqual(
        listed.map(({ name }) => name),
        drills.map(({ name }) => name),
      );
      assert.isTrue(listed.every(({ bars }) => bars.length > 0));
    }),
  );
});

describe("spillway drill run", () => {
  const misuses: ReadonlyArray<readonly [args: ReadonlyArray<string>, why: RegExp]> = [
    [
      ["no-such-drill"],
      /there is no drill "no-such-drill"; there are nov14, empty-config, exploding-config, buffer-wave/,
    ],
    [["hot-customer", "--guard", "belief=off"], /there is no guard "belief"/],
    [["hot-customer", "--guard", "admission"], /write it like admission=off/],
    [["hot-customer", "--guards", "maybe"], /guards/],
    [["hot-customer", "--customers", "0"], /customers/],
    [["hot-customer", "--guards", "each", "--guard", "admission=off"], /not both/],
    [["hot-customer", "--guards", "off", "--guard", "admission=off"], /--guards off or --guard, not both/],
    [["poison-record", "--guards", "off"], /poison-record is about no protection/],
    [["hot-customer", "--mark", "somewhere"], /--mark must be like/],
    [["hot-customer", "--target", "somewhere"], /--target must be like/],
    [["disk-full", "--target", "http://127.0.0.1:1"], /cannot run against a target/],
  ];
  for (const [args, why] of misuses) {
    it.live(`ends with 2 for ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const ran = yield* runSpillway(["drill", "run", ...args]);
        assert.match(ran.stderr, why);
        assert.strictEqual(ran.code, 2);
        assert.strictEqual(ran.stdout, "");
      }),
    );
  }

  it.live("refuses a node that was not started for drills, and writes nothing to it", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const ran = yield* runSpillway(["drill", "run", "slow-destinations", "--target", url]);
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /is not a drill target.*SPILLWAY_DRILL=true/);
      assert.strictEqual(node.jobs.size, 0);
      assert.strictEqual(node.revision, 0);
    }),
  );
});

describe("the guards' flags", () => {
  it("switch off those that the drill is about, or single ones", () => {
    const shown = ["admission", "bufferLimit"] as const;
    assert.deepStrictEqual(guardsOffOf("on", [], shown), []);
    assert.deepStrictEqual(guardsOffOf("off", [], shown), ["admission", "bufferLimit"]);
    assert.deepStrictEqual(guardsOffOf("off", ["admission=on"], shown), ["bufferLimit"]);
    assert.deepStrictEqual(guardsOffOf("on", ["servingGate=off"], shown), ["servingGate"]);
    assert.isString(guardsOffOf("on", ["admission=off=on"], shown));
  });
});
