import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

it.live("spillway limits warns of what no drill has ever exercised, and says what is not measured", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const { url } = yield* startApi(node);
    const limit = { unit: "bytes", value: 2_000, default: 1_000 };
    node.limits = [
      { ...limit, name: "windowBytesMax", usage: 10, highWater: 1_900, exercised: { drill: "surge", millis: 0 } },
      { ...limit, name: "recordBytesMax", exercised: null },
    ];
    const ran = yield* runSpillway(["limits", "--url", url]);
    assert.strictEqual(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /windowBytesMax +2,000 +1,000 +bytes +10 +1,900 +1970-01-01T00:00Z by surge\n/);
    assert.match(ran.stdout, /recordBytesMax +2,000 +1,000 +bytes +- +- +! never exercised\n/);
    assert.match(ran.stderr, /warning: no drill has ever exercised 1 of 2 limits/);
    const json = yield* runSpillway(["limits", "--url", url, "--json"]);
    assert.deepStrictEqual(JSON.parse(json.stdout).limits, node.limits);
  }),
);
