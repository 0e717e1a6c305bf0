import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Result } from "effect";
import { inject } from "vitest";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { applyJobsFile } from "../../src/control/apply-jobs.ts";
import { PushJob } from "../../src/domain/push-job.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { JobStore, layerJobs } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { startNats } from "../support/nats-server.ts";
import { restartableNats } from "../support/restartable-nats.ts";

const job = (id: string, changes: object = {}): PushJob =>
  PushJob.make({
    id,
    customer: "acme",
    dataset: "http_requests",
    enabled: true,
    destination: { kind: "file", path: `/out/${id}` },
    batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
    ...changes,
  } as never);

const node = (url: string, jobsMax = 20_000) =>
  layerJobs({ partitions: 8, replicas: 1, jobsMax }).pipe(
    Layer.provideMerge(Nats.layer({ servers: url, name: "test" })),
  );

const server = Effect.acquireRelease(
  Effect.promise(() => startNats(inject("natsServer"))),
  (nats) => Effect.promise(() => nats[Symbol.asyncDispose]()),
);

/** One node against a nats-server of its own. */
const onNode = <A, E>(test: Effect.Effect<A, E, JobStore | Jobs | Nats>) =>
  Effect.flatMap(server, ({ url }) => test.pipe(Effect.provide(node(url)))).pipe(Effect.scoped);

/** Polls until it is so. @returns how many millis that took */
const until = Effect.fnUntraced(function* (isSo: () => boolean, deadlineMillis: number) {
  const start = performance.now();
  while (!isSo()) {
    if (performance.now() - start > deadlineMillis) assert.fail(`not so after ${deadlineMillis} ms`);
    yield* Effect.sleep(10);
  }
  return performance.now() - start;
});

/** A write past our own code, as another tool would do it. */
const foreignPut = Effect.fnUntraced(function* (id: string, data: Uint8Array | string) {
  const { control } = yield* Nats;
  return yield* attempt("kv", () => jetstream(control).publish(`$KV.jobs.${id}`, data)).pipe(
    Effect.map(({ seq }) => seq),
  );
});

describe("push jobs in KV", () => {
  it.live("are created, replaced by compare-and-set, and removed", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const first = yield* store.put(job("a"), 0);
        assert.deepStrictEqual(yield* store.get("a"), first);
        assert.deepStrictEqual(yield* store.put(job("a")), first, "an identical job keeps its revision");

        const taken = yield* Effect.flip(store.put(job("a", { enabled: false }), 0));
        assert.deepInclude(taken, { _tag: "JobConflict", reason: "revision", revision: first.revision });
        const second = yield* store.put(job("a", { enabled: false }), first.revision);
        assert.isAbove(second.revision, first.revision);
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
        assert.deepStrictEqual(yield* store.list, []);
        // The id of a removed job is free again, for whatever customer.
        const again = yield* store.put(job("a", { customer: "globex" }), 0);
        assert.isAbove(again.revision, second.revision);
        const once = yield* Jobs;
        assert.deepStrictEqual((yield* once.atRevision("a", first.revision))?.job, job("a"));
        assert.deepStrictEqual(yield* once.atRevision("a", again.revision), again);
        assert.isUndefined(yield* once.atRevision("b", first.revision), "another job's revision");
        assert.isUndefined(yield* once.atRevision("a", 4_711));
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

  it.live("are live on every node within 2 s, at the owners before the forwarders", () =>
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
        const millis = yield* until(() => jobs.served().pairs.has("acme.http_requests"), 2_000);
        assert.isBelow(millis, 2_000);
        assert.strictEqual(jobs.served().number, revision);
        assert.deepStrictEqual(adopted.at(-1), [revision, 0]);
      }).pipe(Effect.provide(node(url)));
    }).pipe(Effect.scoped),
  );

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
          yield* store.awaitServed(revision);
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
        yield* store.awaitServed(Math.max(...written.map(({ revision }) => revision)));
        assert.strictEqual(jobs.served().byId.size, count);
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
        const stored = yield* store.put(job("a"));
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
        assert.deepStrictEqual(jobs.served().byId.get("a"), mended);
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
        assert.lengthOf(yield* store.list, 1);
        yield* Effect.promise(() => nats.start());
        const { connected } = yield* Nats;
        yield* until(connected, 10_000);
        yield* foreignPut("c", encodeJob(job("c"))).pipe(Effect.retry({ times: 20 }));
        yield* until(() => jobs.served().byId.has("c"), 2_000);
        assert.isTrue(jobs.served().byId.has("a"));
      }).pipe(Effect.provide(node(nats.url)));
    }).pipe(Effect.scoped),
  );

  it.live("are not removed with their bucket, and follow the one that takes its place", () =>
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
        yield* until(() => jobs.served().byId.has("d"), 10_000);
        const { revision } = yield* store.put(job("b", { enabled: false }));
        yield* store.awaitServed(revision);
        assert.strictEqual(jobs.served().byId.size, 4);
        assert.isFalse(jobs.served().byId.get("b")?.job.enabled);
        assert.isAbove(jobs.served().number, number);
      }),
    ),
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
      assert.match((error as Error).message, /history is 3, wanted 20.*time to live is 60000000000, wanted 0/);
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

const withFile = <A, E, R>(
  use: (write: (jobs: ReadonlyArray<object>) => Effect.Effect<string>) => Effect.Effect<A, E, R>,
) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-jobs-"))),
    (directory) =>
      use((jobs) =>
        Effect.promise(async () => {
          const path = join(directory, "jobs.json");
          await writeFile(path, JSON.stringify({ jobs }, null, 1));
          return path;
        }),
      ),
    (directory) => Effect.promise(() => rm(directory, { recursive: true })),
  );

describe("a jobs file, applied", () => {
  it.live("stores what differs and removes nothing", () =>
    onNode(
      withFile((write) =>
        Effect.gen(function* () {
          const store = yield* JobStore;
          const first = yield* applyJobsFile(yield* write([job("a"), job("b"), job("c")]));
          assert.deepInclude(first, { added: 3, changed: 0, unchanged: 0, notInFile: 0 });
          yield* store.awaitServed(first.revision);
          const path = yield* write([job("a"), job("b", { enabled: false }), job("d")]);
          assert.deepInclude(yield* applyJobsFile(path), { added: 1, changed: 1, unchanged: 1, notInFile: 1 });
          assert.deepInclude(yield* applyJobsFile(path), {
            added: 0,
            changed: 0,
            unchanged: 3,
            notInFile: 1,
            revision: 0,
          });
          assert.deepStrictEqual(
            (yield* store.list).map((each) => each.job.id as string),
            ["a", "b", "c", "d"],
          );
        }),
      ),
    ),
  );

  it.live("stores nothing when one job cannot be", () =>
    onNode(
      withFile((write) =>
        Effect.gen(function* () {
          const store = yield* JobStore;
          yield* store.put(job("a"));
          const secretive = job("c", {
            destination: { kind: "http", url: "https://h/", headers: { K: "[redacted]" } },
          });
          const path = yield* write([job("b"), job("a", { customer: "globex" }), secretive]);
          const error = yield* Effect.flip(applyJobsFile(path));
          assert.deepInclude(error, { _tag: "JobsFileError" });
          const lines = error.message.replaceAll(path, "F").split("\n");
          assert.lengthOf(lines, 2);
          assert.match(lines[0] ?? "", /^F:20:16: jobs\[1\]\.customer: cannot change/);
          assert.match(lines[1] ?? "", /^F:\d+:\d+: jobs\[2\]\.destination\.headers\.K: is \[redacted\]/);
          assert.lengthOf(yield* store.list, 1);
        }),
      ),
    ),
  );
});
