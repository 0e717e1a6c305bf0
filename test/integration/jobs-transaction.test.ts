import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Result } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import type { JobEdit } from "../../src/domain/job-transaction.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { foreignPut, job, node, onNode, server, until } from "../support/job-nodes.ts";

const put = (id: string, changes: object = {}, ifRevision?: number): JobEdit => ({ put: job(id, changes), ifRevision });
const remove = (id: string, ifRevision?: number): JobEdit => ({ remove: id, ifRevision });
const ids = Effect.flatMap(JobStore, (store) => store.page(undefined, 10_000)).pipe(
  Effect.map(({ items }) => items.map((each) => each.job.id as string)),
);

/** What the stream itself has. */
const lastSequence = Effect.flatMap(Nats, ({ control }) =>
  attempt("manage", async () => {
    const manager = await jetstreamManager(control);
    return (await manager.streams.info("KV_jobs")).state.last_seq;
  }),
);

describe("a transaction of push jobs", () => {
  it.live("puts and removes, tells what became of each, and is nothing the second time", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const { change } = store;
        const first = yield* change(["a", "b", "c"].map((id) => put(id)));
        assert.deepStrictEqual(
          first.map((each) => [each.id, each.change]),
          [
            ["a", "created"],
            ["b", "created"],
            ["c", "created"],
          ],
        );
        const [a = 0, b = 0] = first.map(({ revision }) => revision);
        assert.deepStrictEqual(
          first.map(({ revision }) => revision),
          [a, a + 1, a + 2],
        );
        assert.deepStrictEqual(yield* store.get("b"), { job: job("b"), revision: b });

        const second: ReadonlyArray<JobEdit> = [
          put("a"),
          put("b", { enabled: false }),
          remove("c"),
          put("d"),
          remove("nobody"),
        ];
        const before = yield* lastSequence;
        const dry = yield* change(second, { dryRun: true });
        assert.deepStrictEqual(
          dry.map((each) => [each.id, each.change, each.revision]),
          [
            ["a", "unchanged", a],
            ["b", "updated", a + 1],
            ["c", "removed", a + 2],
            ["d", "created", 0],
            ["nobody", "unchanged", 0],
          ],
        );
        assert.strictEqual(yield* lastSequence, before, "a dry run writes nothing");
        const done = yield* change(second);
        assert.deepStrictEqual(
          done.map((each) => each.change),
          dry.map((each) => each.change),
        );
        assert.deepStrictEqual([done[0]?.revision, done[4]?.revision], [a, 0]);
        assert.strictEqual(yield* lastSequence, before + 3, "what is as it is to be is not written");
        assert.deepStrictEqual(yield* ids, ["a", "b", "d"]);
        for (const { id, revision, change: what } of done) {
          if (what === "created" || what === "updated") assert.strictEqual((yield* store.get(id))?.revision, revision);
        }

        const again = yield* change(second);
        assert.deepStrictEqual(new Set(again.map((each) => each.change)), new Set(["unchanged"]));
        assert.strictEqual(yield* lastSequence, before + 3);
        assert.deepStrictEqual(yield* change([]), []);
        // The key of a removed job has a message: to come back it must be written behind that.
        const back = yield* change([put("c", { customer: "globex" }, 0), put("e")]);
        assert.deepStrictEqual(
          back.map((each) => each.change),
          ["created", "created"],
        );
      }),
    ),
  );

  it.live("is refused as a whole, with everything that is wrong with it", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* JobStore;
        const [a] = yield* change([put("a"), put("b")]);
        const before = yield* lastSequence;
        const error = yield* Effect.flip(
          change(
            [
              put("new"),
              put("a", { customer: "globex" }),
              put("b", {}, 4_711),
              remove("gone", 3),
              put("large", { destination: { kind: "file", path: `/${"x".repeat(70_000)}` } }),
              put("new", { enabled: false }),
              put("a", {}, 0),
            ],
            {
              complete: (each) =>
                each.id === "large"
                  ? Result.fail([{ path: ["destination"], message: "is not to our taste" }])
                  : Result.succeed(each),
            },
          ),
        );
        assert(error._tag === "TransactionRefused");
        assert.deepStrictEqual(
          error.problems.map(({ index, job: id, reason }) => [index, id, reason]),
          [
            [1, "a", "identity"],
            [2, "b", "revision"],
            [3, "gone", "revision"],
            [4, "large", "invalid"],
            [5, "new", "duplicate"],
            [6, "a", "duplicate"],
            [6, "a", "revision"],
          ],
        );
        assert.match(error.message, new RegExp(`changes\\[6\\]: Job a exists at revision ${a?.revision}`));
        const large = put("large", { destination: { kind: "file", path: `/${"x".repeat(70_000)}` } });
        const tooLarge = yield* Effect.flip(change([put("c"), large]));
        assert.deepInclude((tooLarge as { problems: ReadonlyArray<object> }).problems[0], {
          index: 1,
          reason: "tooLarge",
        });
        assert.strictEqual(yield* lastSequence, before);
        assert.deepStrictEqual(yield* ids, ["a", "b"]);
      }),
    ),
  );

  it.live("stays within the limit of jobs, and may change them while it is reached", () =>
    Effect.flatMap(server, ({ url }) =>
      Effect.gen(function* () {
        const { change } = yield* JobStore;
        const error = yield* Effect.flip(change([put("a"), put("b"), put("c"), put("d")]));
        assert.deepInclude((error as { problems: ReadonlyArray<object> }).problems[0], { reason: "tooMany", job: "d" });
        assert.strictEqual(yield* lastSequence, 0);
        yield* change([put("a"), put("b"), put("c")]);
        const swapped = yield* change([put("d"), put("b", { enabled: false }), remove("a")]);
        const jobs = yield* Jobs;
        yield* (yield* JobStore).awaitServed(Math.max(...swapped.map(({ revision }) => revision)));
        assert.deepStrictEqual([...jobs.served().byId.keys()].toSorted(), ["b", "c", "d"]);
      }).pipe(Effect.provide(node(url, 3))),
    ).pipe(Effect.scoped),
  );

  it.live("takes a thousand changes and not one more", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* JobStore;
        const many = Array.from({ length: 1_001 }, (_, i) => put(`job-${i}`));
        const error = yield* Effect.flip(change(many));
        assert(error._tag === "TransactionRefused");
        assert.match(error.message, /at most 1000 changes, this one has 1001: split it/);
        assert.strictEqual(yield* lastSequence, 0);
        const done = yield* change(many.slice(1));
        assert.strictEqual(done.filter((each) => each.change === "created").length, 1_000);
        assert.strictEqual(yield* lastSequence, 1_000);
      }),
    ),
  );

  it.live("is stored on top of somebody else's change, with what was found there", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* JobStore;
        const { control } = yield* Nats;
        yield* change([put("a"), put("b")]);
        const seen: Array<boolean> = [];
        const foreign = encodeJob(job("b", { weight: 7 }));
        const done = yield* change([put("a", { enabled: false }), put("b", { enabled: false }), put("c")], {
          // After the store was looked at, and on the connection that the transaction takes: in between, for certain.
          complete: (each, stored) => {
            if (each.id === "b" && seen.push(stored?.weight === 7) === 1) control.publish("$KV.jobs.b", foreign);
            return Result.succeed(each.id === "b" ? { ...each, weight: stored?.weight ?? 1 } : each);
          },
        });
        assert.deepStrictEqual(seen, [false, true]);
        assert.deepStrictEqual(
          done.map((each) => each.change),
          ["updated", "updated", "created"],
        );
        const b = yield* (yield* JobStore).get("b");
        assert.deepInclude(b?.job, { enabled: false, weight: 7 });
      }),
    ),
  );

  it.live("stores nothing when one of its jobs is changed by somebody else, and names that job", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const { control } = yield* Nats;
        const [a, b] = yield* store.change([put("a"), put("b")]);
        let tries = 0;
        const interfere = (each: { readonly id: string }) => {
          if (each.id !== "b") return;
          tries += 1;
          control.publish("$KV.jobs.b", encodeJob(job("b", { weight: tries })));
        };
        const expecting = yield* Effect.flip(
          store.change([put("new"), put("a", { weight: 50 }, a?.revision), put("b", { weight: 60 }, b?.revision)], {
            complete: (each) => {
              interfere(each);
              return Result.succeed(each);
            },
          }),
        );
        assert(expecting._tag === "TransactionRefused");
        assert.deepStrictEqual(
          expecting.problems.map(({ index, job: id, reason }) => [index, id, reason]),
          [[2, "b", "revision"]],
        );
        tries = 0;
        const all = yield* Effect.flip(
          store.change([put("new"), put("a", { weight: 50 }), put("b", { weight: 60 })], {
            complete: (each) => {
              interfere(each);
              return Result.succeed(each);
            },
          }),
        );
        assert.deepInclude(all, { _tag: "JobStoreError", reason: "contended" });
        assert.match(all.message, /^Nothing was stored: others change b all the time/);
        assert.strictEqual(tries, 5);
        assert.strictEqual((yield* store.get("a"))?.revision, a?.revision);
        assert.isUndefined(yield* store.get("new"));
        assert.strictEqual((yield* store.change([put("new")]))[0]?.change, "created");
      }),
    ),
  );

  it.live("refuses nobody for a job that this node has not heard of yet", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* JobStore;
        yield* foreignPut("theirs", encodeJob(job("theirs", { weight: 7 })));
        // At once, before the feed can have read it: at first it looks as if there were no weight to keep.
        const kept = yield* change([put("theirs", { enabled: false })], {
          complete: (each, stored) =>
            stored?.weight === undefined
              ? Result.fail([{ path: ["weight"], message: "there is none to keep" }])
              : Result.succeed({ ...each, weight: stored.weight }),
        });
        assert.strictEqual(kept[0]?.change, "updated");
      }),
    ),
  );

  it.live("comes into force as a whole: no snapshot has a part of it", () =>
    onNode(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const jobs = yield* Jobs;
        const old = yield* store.change(["a", "b", "c"].map((id) => put(id)));
        yield* store.awaitServed(Math.max(...old.map(({ revision }) => revision)));
        const seen: Array<string> = [];
        yield* jobs.onChange((set) => Effect.sync(() => void seen.push([...set.byId.keys()].toSorted().join(" "))));
        // As many as one small change may have.
        const added = Array.from({ length: 17 }, (_, i) => `n${i}`);
        const done = yield* store.change([...added.map((id) => put(id)), ...["a", "b", "c"].map((id) => remove(id))]);
        yield* store.awaitServed(Math.max(...done.map(({ revision }) => revision)));
        assert.deepStrictEqual(
          seen.filter((each) => each !== "a b c"),
          [added.toSorted().join(" ")],
        );
      }),
    ),
  );

  it.live(
    "needs a bucket that takes it: one that was made before is told to, and keeps its jobs, and more of them",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const nats = Nats.layer({ servers: url, name: "test" });
        const create = Effect.flatMap(Nats, ({ control }) =>
          attempt("kv", async () => {
            await new Kvm(control).create("jobs", {
              history: 20,
              maxValueSize: 65_536,
              allow_direct: true,
              description: "as an earlier version made it",
            });
            return (await (await jetstreamManager(control)).streams.info("KV_jobs")).config.allow_atomic;
          }),
        );
        assert.notStrictEqual(yield* create.pipe(Effect.provide(nats)), true);
        const revision = yield* foreignPut("old", encodeJob(job("old"))).pipe(Effect.provide(nats));
        yield* Effect.gen(function* () {
          const store = yield* JobStore;
          const jobs = yield* Jobs;
          yield* until(() => jobs.served().byId.has("old"), 5_000);
          assert.strictEqual((yield* store.get("old"))?.revision, revision);
          const [, created] = yield* store.change([put("old"), put("a"), put("b")]);
          assert.deepInclude(created, { id: "a", change: "created", revision: revision + 1 });
        }).pipe(Effect.provide(node(url)));
        const now = Effect.flatMap(Nats, ({ control }) =>
          attempt("manage", async () => (await (await jetstreamManager(control)).streams.info("KV_jobs")).config),
        );
        const { allow_atomic, max_msgs_per_subject } = yield* now.pipe(Effect.provide(nats));
        assert.deepStrictEqual([allow_atomic, max_msgs_per_subject], [true, 64]);
      }).pipe(Effect.scoped),
  );
});
