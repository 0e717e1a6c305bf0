import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { customers, elsewhere, inForce, pathOf, putAll, startNode } from "../support/config-nodes.ts";
import { foreignPut, job, node, server, until } from "../support/job-nodes.ts";

// Measured, so nothing else runs beside it: see the project `latency`.
describe("a small change is live within 2 s", () => {
  it.live("of a push job, at the owners before the forwarders", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      yield* Effect.gen(function* () {
        const jobs = yield* Jobs;
        const adopted: Array<readonly [adopted: number, servedThen: number]> = [];
        yield* jobs.onChange((set) =>
          Effect.sync(() => void adopted.push([set.number, jobs.served().number])).pipe(Effect.delay("20 millis")),
        );
        assert.deepStrictEqual(adopted, [[0, 0]], "the current set at once");
        const revision = yield* foreignPut("a", encodeJob(job("a")));
        yield* until(() => jobs.served().pairs.has("acme.http_requests"), 2_000);
        assert.strictEqual(jobs.served().number, revision);
        assert.deepStrictEqual(adopted.at(-1), [revision, 0]);
      }).pipe(Effect.provide(node(url)));
    }).pipe(Effect.scoped),
  );

  it.live(
    "on every node, where others are rolled out in steps; so is each of several at once",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const inSteps = { rolloutCanaryPercent: 10, rolloutWatchMillis: 60_000, redirectedPercentMax: 100 };
        const one = yield* startNode(url, { name: "one", limits: inSteps });
        const two = yield* startNode(url, { name: "two", limits: inSteps, controls: false });
        yield* putAll(one, customers(30));
        yield* inForce(one, 30);
        for (const customer of customers(5)) {
          yield* putAll(one, [customer], elsewhere);
          yield* until(() => [one, two].every((each) => pathOf(each, customer) === "/elsewhere"), 2_000);
        }
        // Three customers at once have theirs one after the other: none of them is a wave.
        const three = customers(8).slice(5);
        for (const customer of three) yield* putAll(one, [customer], elsewhere);
        yield* until(() => three.every((customer) => pathOf(two, customer) === "/elsewhere"), 2_500);
      }).pipe(Effect.scoped),
    60_000,
  );
});
