import { jetstreamManager } from "@nats-io/jetstream";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { inject } from "vitest";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import type { GateVerdict } from "../../src/domain/blast-radius.ts";
import type { ConfigPlan } from "../../src/domain/config-report.ts";
import { askControl } from "../../src/streams/config-messages.ts";
import { foreignPut, job, node, onNode, server, until } from "../support/job-nodes.ts";
import { restartableNats } from "../support/restartable-nats.ts";

/** What would be rolled out next, and what the gate says of it. */
const planned = Effect.map(
  askControl({ op: "plan" }),
  (answer) => (answer as { readonly done?: ConfigPlan }).done ?? { verdict: null },
).pipe(Effect.catch(() => Effect.succeed({ verdict: null })));

describe("push jobs in KV", () => {
  it.live("reach forwarders although an owner hangs or crashes, and that owner gets the last set when it goes on", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        const seen: Array<number> = [];
        let release: (() => void) | undefined;
        const released = new Promise<void>((resolve) => {
          release = resolve;
        });
        yield* jobs.onChange((set) => (set.number === 0 ? Effect.void : Effect.die(new Error("owner crashed"))));
        yield* jobs.onChange((set) =>
          set.number === 0
            ? Effect.void
            : Effect.promise(() => released).pipe(Effect.andThen(Effect.sync(() => void seen.push(set.number)))),
        );
        for (const id of ["a", "b", "c"]) {
          const { revision } = yield* store.put(job(id));
          // Each set waits a second for the owner that hangs.
          yield* store.awaitServed(revision).pipe(Effect.retry({ times: 3 }));
        }
        assert.strictEqual(jobs.served().byId.size, 3);
        assert.deepStrictEqual(seen, []);
        release?.();
        yield* until(() => seen.at(-1) === jobs.served().number, 2_000);
        assert.isBelow(seen.length, 3, "of those that it slept through, only the last");
      }),
    ),
  );

  it.live("come 10,000 at once in few sets, and are all there after a restart of the node", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      const count = 10_000;
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        let sets = 0;
        yield* jobs.onChange(() => Effect.sync(() => void (sets += 1)));
        const start = performance.now();
        const written = yield* Effect.forEach(
          Array.from({ length: count }, (_, i) => job(`j${i}`, { customer: `c${i % 1_000}` })),
          (each) => store.put(each),
          { concurrency: 64 },
        );
        const millis = performance.now() - start;
        assert.lengthOf(written, count);
        yield* until(() => jobs.served().byId.size === count, 20_000);
        assert.strictEqual(jobs.served().pairs.size, 1_000);
        // At most one in 50 ms, the first, and the last.
        assert.isAtMost(sets, millis / 50 + 3);
      }).pipe(Effect.provide(node(url)));
      const start = performance.now();
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* Jobs).served().byId.size, count);
        assert.isBelow(performance.now() - start, 10_000);
      }).pipe(Effect.provide(node(url)));
    }).pipe(Effect.scoped),
  );

  it.live("that do not decode leave their last good revision and all others in force, live and after a restart", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      const bad = ["not json", "", '{"id":"a"}', encodeJob(job("b"))];
      const good = yield* Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        yield* store.put(job("b"));
        const { revision: goodRevision } = yield* store.put(job("a"));
        const stored = { job: job("a"), revision: goodRevision };
        for (const data of bad) yield* foreignPut("a", data);
        const revision = yield* foreignPut("never-good", "not json");
        yield* store.awaitServed(revision);
        assert.deepStrictEqual(jobs.served().byId.get("a"), stored);
        assert.deepStrictEqual([...jobs.served().byId.keys()].toSorted(), ["a", "b"]);
        return stored;
      }).pipe(Effect.provide(node(url)));
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        assert.deepStrictEqual(jobs.served().byId.get("a"), good);
        assert.isTrue(jobs.served().byId.has("b"));
        // A good one mends it.
        const mended = yield* store.put(job("a", { enabled: false }));
        yield* store.awaitServed(mended.revision);
        assert.strictEqual(jobs.served().byId.get("a")?.revision, mended.revision);
      }).pipe(Effect.provide(node(url)));
    }).pipe(Effect.scoped),
  );

  it.live("stay in force without KV, and follow it again after a kill and a restart of nats-server", () =>
    Effect.gen(function* () {
      const nats = yield* Effect.acquireRelease(
        Effect.promise(() => restartableNats(inject("natsServer"))),
        (each) => Effect.promise(() => each[Symbol.asyncDispose]()),
      );
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        const { revision } = yield* store.put(job("a"));
        yield* store.awaitServed(revision);
        yield* Effect.promise(() => nats.kill());
        const refused = yield* Effect.flip(store.put(job("b")));
        assert.deepInclude(refused, { _tag: "JobStoreError", reason: "unavailable" });
        assert.isTrue(jobs.served().byId.has("a"));
        assert.lengthOf((yield* store.page(undefined, 100)).items, 1);
        yield* Effect.promise(() => nats.start());
        const { connected } = yield* Nats;
        yield* until(connected, 10_000);
        yield* foreignPut("c", encodeJob(job("c"))).pipe(Effect.retry({ times: 20 }));
        // What leads has to find out first that the server is back.
        yield* until(() => jobs.served().byId.has("c"), 10_000);
        assert.isTrue(jobs.served().byId.has("a"));
      }).pipe(Effect.provide(node(nats.url)));
    }).pipe(Effect.scoped),
  );

  it.live("are not removed with their bucket, and follow the one that takes its place once a person says so", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        for (const id of ["a", "b", "c"]) yield* store.put(job(id));
        yield* until(() => jobs.served().byId.size === 3, 2_000);
        const { number } = jobs.served();
        const { control } = yield* Nats;
        const manager = yield* attempt("manage", () => jetstreamManager(control));
        const { config } = yield* attempt("manage", () => manager.streams.info("KV_jobs"));
        yield* attempt("manage", () => manager.streams.delete("KV_jobs"));
        yield* attempt("manage", () => manager.streams.add({ ...config, name: "KV_jobs" }));
        yield* foreignPut("d", encodeJob(job("d")));
        // Equal revisions of two stores are other contents: nothing of it may be guessed.
        yield* store.put(job("b", { enabled: false })).pipe(Effect.retry({ times: 20 }));
        let refused: GateVerdict | undefined;
        while (refused?.radius.jobs.added !== 1 || refused.radius.customers.touched === 0) {
          const { verdict } = yield* planned;
          refused = verdict ?? undefined;
          yield* Effect.sleep(50);
        }
        assert.deepStrictEqual(
          refused.refusals.map(({ acceptable, rule }) => [rule, acceptable]),
          [["storeReplaced", true]],
        );
        assert.deepStrictEqual([...jobs.served().byId.keys()].toSorted(), ["a", "b", "c"]);
        yield* askControl({ op: "apply", accept: refused.snapshot, who: "test", why: "a new store" });
        yield* until(() => jobs.served().byId.has("d"), 5_000);
        yield* until(() => jobs.served().byId.get("b")?.job.enabled === false, 5_000);
        assert.strictEqual(jobs.served().byId.size, 4);
        assert.isAbove(jobs.served().number, number);
      }),
    ),
  );
});
