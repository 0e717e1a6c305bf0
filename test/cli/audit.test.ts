import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

it.live("spillway audit --verify ends with 3 when the log is not what it was, and with 1 when nobody could look", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const { url } = yield* startApi(node);
    const verify = (...more: ReadonlyArray<string>) => runSpillway(["audit", "--verify", "--url", url, ...more]);
    const kept = "0".repeat(64);
    const ended = Effect.map(
      Effect.all([verify(), verify("--head", kept), verify("--head", "1".repeat(64)), verify("--head", "short")], {
        concurrency: 2,
      }),
      (all) => all.map(({ code }) => code),
    );
    assert.deepStrictEqual(yield* ended, [0, 0, 3, 2]);
    node.audit.broken = true;
    assert.strictEqual((yield* verify()).code, 3);
    node.audit.down = true;
    assert.strictEqual((yield* verify()).code, 1);
  }),
);
