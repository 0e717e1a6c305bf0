import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Result } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { foreignPut, job, node, onNode, server, until } from "../support/job-nodes.ts";

describe("push jobs, written to KV,", () => {
  it.live("are created, replaced by compare-and-set, and removed", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const first = yield* store.put(job("a"), 0);
        assert.strictEqual(first.change, "created");
        assert.deepStrictEqual(yield* store.get("a"), { job: job("a"), revision: first.revision });
        const same = { ...first, change: "unchanged" as const };
        assert.deepStrictEqual(yield* store.put(job("a")), same, "an identical job keeps its revision");

        const taken = yield* Effect.flip(store.put(job("a", { enabled: false }), 0));
        assert.deepInclude(taken, { _tag: "JobConflict", reason: "revision", revision: first.revision });
        const second = yield* store.put(job("a", { enabled: false }), first.revision);
        assert.isAbove(second.revision, first.revision);
        assert.strictEqual(second.change, "updated");
        const stale = yield* Effect.flip(store.put(job("a"), first.revision));
        assert.deepInclude(stale, { _tag: "JobConflict", reason: "revision", revision: second.revision });
        const absent = yield* Effect.flip(store.put(job("b"), 7));
        assert.deepInclude(absent, { _tag: "JobConflict", reason: "revision", revision: 0 });

        for (const changes of [{ customer: "globex" }, { dataset: "dns_logs" }]) {
          const other = yield* Effect.flip(store.put(job("a", changes)));
          assert.deepInclude(other, { _tag: "JobConflict", reason: "identity" });
        }

        assert.deepInclude(yield* Effect.flip(store.remove("a", first.revision)), { reason: "revision" });
        assert.isTrue(yield* store.remove("a", second.revision));
        assert.isFalse(yield* store.remove("a"));
        assert.isUndefined(yield* store.get("a"));
        assert.deepStrictEqual((yield* store.page(undefined, 100)).items, []);
        // The id of a removed job is free again, for whatever customer.
        const again = yield* store.put(job("a", { customer: "globex" }), 0);
        assert.isAbove(again.revision, second.revision);
        assert.strictEqual(again.change, "created");
        const once = yield* Jobs;
        assert.deepStrictEqual((yield* once.atRevision("a", first.revision))?.job, job("a"));
        assert.deepStrictEqual((yield* once.atRevision("a", again.revision))?.job, again.job);
        assert.isUndefined(yield* once.atRevision("b", first.revision), "another job's revision");
        assert.isUndefined(yield* once.atRevision("a", 4_711));
      }),
    ),
  );

  it.live("are told apart when absent: removed by somebody, stored, or never heard of", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const { absence } = yield* Jobs;
        for (const id of ["kept", "removed", "purged", "wiped", "back"]) yield* store.put(job(id));
        for (const id of ["removed", "back"]) yield* store.remove(id);
        yield* store.put(job("back"));
        const { control } = yield* Nats;
        const kv = yield* attempt("kv", () => new Kvm(control).open("jobs"));
        yield* attempt("kv", () => kv.purge("purged"));
        const manager = yield* attempt("manage", () => jetstreamManager(control));
        yield* attempt("manage", () => manager.streams.purge("KV_jobs", { filter: "$KV.jobs.wiped" }));
        yield* foreignPut("kept", "not json");
        const told = yield* Effect.all({
          kept: absence("kept"),
          removed: absence("removed"),
          purged: absence("purged"),
          wiped: absence("wiped"),
          back: absence("back"),
          never: absence("never"),
        });
        assert.deepStrictEqual(told, {
          kept: "stored",
          removed: "removed",
          purged: "removed",
          wiped: "forgotten",
          back: "stored",
          never: "forgotten",
        });
        yield* attempt("manage", () => manager.streams.delete("KV_jobs"));
        assert.strictEqual(yield* absence("removed"), "unknown");
      }),
    ),
  );

  it.live("of two nodes that write the same job at once, one wins and both know it", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      const open = Effect.map(Layer.build(Layer.fresh(node(url))), (context) =>
        context.pipe((services) =>
          Effect.runSync(Effect.all({ store: JobStore, jobs: Jobs }).pipe(Effect.provide(services))),
        ),
      );
      const [one, two] = yield* Effect.all([open, open]);
      const first = yield* one.store.put(job("a"));
      yield* until(() => two.jobs.served().byId.has("a"), 2_000);
      const results = yield* Effect.all(
        [one, two].map(({ store }, i) =>
          Effect.result(
            store.put(
              job("a", { batch: { maxBytes: 5_000_000, maxRecords: 2_000 + i, maxIntervalSeconds: 9 } }),
              first.revision,
            ),
          ),
        ),
        { concurrency: 2 },
      );
      assert.deepStrictEqual(results.filter(Result.isSuccess).length, 1);
      const [winner] = results.filter(Result.isSuccess);
      for (const { jobs } of [one, two]) {
        yield* until(() => jobs.served().byId.get("a")?.revision === winner?.success.revision, 2_000);
      }
      // Without an expectation both succeed, one on top of the other.
      yield* Effect.all([one.store.put(job("b", { enabled: false })), two.store.put(job("b"))], { concurrency: 2 });
      yield* until(
        () => one.jobs.served().byId.get("b")?.revision === two.jobs.served().byId.get("b")?.revision,
        2_000,
      );
    }).pipe(Effect.scoped),
  );

  it.live("have a limit, for us and for what others write", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        yield* store.put(job("a"));
        yield* store.put(job("b"));
        assert.deepInclude(yield* Effect.flip(store.put(job("c"))), { _tag: "JobStoreError", reason: "tooMany" });
        yield* store.put(job("b", { enabled: false }));
        const revision = yield* foreignPut("c", encodeJob(job("c")));
        yield* store.awaitServed(revision);
        assert.deepStrictEqual([...jobs.served().byId.keys()].toSorted(), ["a", "b"]);
        const large = job("a", { destination: { kind: "file", path: `/${"x".repeat(70_000)}` } });
        assert.deepInclude(yield* Effect.flip(store.put(large)), { reason: "tooLarge" });
      }).pipe(Effect.provide(node(url, 2)));
    }).pipe(Effect.scoped),
  );

  it.live("in a bucket with other settings are an error that names them, and nothing is changed", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      const nats = Nats.layer({ servers: url, name: "test" });
      const create = Effect.flatMap(Nats, ({ control }) =>
        attempt("kv", () => new Kvm(control).create("jobs", { history: 3, ttl: 60_000 })),
      );
      yield* create.pipe(Effect.provide(nats));
      const error = yield* Effect.flip(Layer.build(node(url)));
      assert.deepInclude(error, { _tag: "TopologyMismatch" });
      assert.match(
        (error as Error).message,
        /maximum value size is -1, wanted 65536.*time to live is 60000000000, wanted 0/,
      );
      const history = yield* Effect.flatMap(Nats, ({ control }) =>
        attempt("kv", async () => (await (await new Kvm(control).open("jobs")).status()).history),
      ).pipe(Effect.provide(nats));
      assert.strictEqual(history, 3);
    }).pipe(Effect.scoped),
  );

  it.live("waited for in vain are said to be not served", () =>
    onNode(
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* JobStore).awaitServed(99));
        assert.deepInclude(error, { _tag: "JobStoreError", reason: "notServed" });
      }),
    ),
  );
});
