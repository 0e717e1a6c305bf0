import { jetstreamManager } from "@nats-io/jetstream";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { PushJob } from "../../src/domain/push-job.ts";
import { openJobBucket } from "../../src/streams/job-bucket.ts";
import { makeJobFeed } from "../../src/streams/job-feed.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { changeJobs } from "../../src/streams/job-transaction.ts";
import { makeJobView } from "../../src/streams/job-view.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { StoredJobs } from "../../src/streams/stored-jobs.ts";
import { job, server, until } from "../support/job-nodes.ts";

/** Some 60 KB. */
const large = (id: string): PushJob => job(id, { destination: { kind: "file", path: `/${"x".repeat(60_000)}` } });
const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

const feedOf = Effect.fnUntraced(function* () {
  const bucket = yield* openJobBucket(1);
  const entries = new StoredJobs(new JobTable(8), 8);
  const sizes: Array<number> = [];
  const options = { entries, from: 0, jobsMax: 20_000, onFound: () => {} };
  const feed = yield* makeJobFeed(bucket, { ...options, onSlice: () => void sizes.push(entries.size) });
  const view = makeJobView({ entries, position: feed.position, nudge: feed.nudge });
  return { entries, feed, sizes, writer: { bucket, view, jobsMax: 20_000 } };
});

describe("the feed of push jobs", () => {
  it.live("takes a transaction in as a whole, however many slices it is read in", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      yield* Effect.gen(function* () {
        const follower = yield* feedOf();
        const { writer } = yield* feedOf();
        // Twelve megabytes, read in slices of four; and one before it, so that the cut is not where a slice begins.
        yield* changeJobs(writer, [{ put: job("first") }]);
        yield* changeJobs(
          writer,
          named("a", 200).map((id) => ({ put: large(id) })),
        );
        yield* until(() => follower.entries.size >= 201, 5_000);
        const swap = [
          ...named("a", 200).map((id) => ({ remove: id })),
          ...named("b", 190).map((id) => ({ put: large(id) })),
        ];
        yield* changeJobs(writer, swap);
        yield* until(() => follower.entries.has("b189"), 5_000);
        const seen = new Set(follower.sizes);
        for (const size of seen) assert.include([0, 1, 201, 191], size);
        // Whoever comes later reads all of it from the beginning.
        const late = yield* feedOf();
        assert.strictEqual(late.entries.size, 191);
        for (const size of late.sizes) assert.include([1, 201, 191], size);
      }).pipe(Effect.provide(Nats.layer({ servers: url, name: "test" })), Effect.scoped);
    }).pipe(Effect.scoped),
  );

  it.live("counts what there is of a transaction whose end the server lost, after a second", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      yield* Effect.gen(function* () {
        const { writer } = yield* feedOf();
        yield* changeJobs(writer, [{ put: job("before") }]);
        yield* changeJobs(writer, [{ put: job("a") }, { put: job("b") }, { put: job("c") }]);
        const { control } = yield* Nats;
        yield* attempt("manage", async () => (await jetstreamManager(control)).streams.deleteMessage("KV_jobs", 4));
        const { entries, feed } = yield* feedOf();
        assert.strictEqual(entries.size, 1);
        const millis = yield* until(() => entries.size === 3, 5_000);
        assert.isAbove(millis, 500);
        assert.strictEqual(feed.position(), 3);
        yield* changeJobs(writer, [{ put: job("d") }, { put: job("e") }]);
        yield* until(() => entries.size === 5, 900);
      }).pipe(Effect.provide(Nats.layer({ servers: url, name: "test" })), Effect.scoped);
    }).pipe(Effect.scoped),
  );
});
