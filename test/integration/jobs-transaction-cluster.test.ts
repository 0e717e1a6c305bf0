import { jetstreamManager } from "@nats-io/jetstream";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Result, Schedule } from "effect";
import { inject } from "vitest";
import { openJobBucket } from "../../src/streams/job-bucket.ts";
import { makeJobFeed } from "../../src/streams/job-feed.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { changeJobs } from "../../src/streams/job-transaction.ts";
import { makeJobView } from "../../src/streams/job-view.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { StoredJobs } from "../../src/streams/stored-jobs.ts";
import { job, until } from "../support/job-nodes.ts";
import { startNatsCluster } from "../support/nats-cluster.ts";

const writerOf = Effect.fnUntraced(function* () {
  // A cluster that has just started has no leader to create a stream with yet.
  const bucket = yield* openJobBucket(3).pipe(Effect.retry({ times: 40, schedule: Schedule.spaced(250) }));
  const entries = new StoredJobs(new JobTable(8), 8);
  const feed = yield* makeJobFeed(bucket, { entries, from: 0, jobsMax: 20_000, onFound: () => {} });
  const view = makeJobView({ entries, position: feed.position, nudge: feed.nudge });
  return { entries, writer: { bucket, view, jobsMax: 20_000 } };
});

const leaderOf = Effect.flatMap(Nats, ({ control }) =>
  attempt(
    "manage",
    async () => (await (await jetstreamManager(control)).streams.info("KV_jobs")).cluster?.leader ?? "",
  ),
);

describe("a transaction of push jobs on three replicas", () => {
  it.live(
    "is all or nothing among competing nodes, and when the leader of the stream is killed",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Effect.acquireRelease(
          Effect.promise(() => startNatsCluster(inject("natsServer"))),
          (open) => Effect.promise(() => open[Symbol.asyncDispose]()),
        );
        yield* Effect.gen(function* () {
          const one = yield* writerOf();
          const two = yield* writerOf();
          const ids = Array.from({ length: 300 }, (_, i) => `job-${i}`);
          const all = (weight: number) => ids.map((id) => ({ put: job(id, { weight }) }));
          const created = yield* changeJobs(one.writer, all(1));
          assert.isTrue(created.every(({ change }) => change === "created"));
          // Both write all of them at once: whoever comes second does so on top of the first, or is told so.
          const both = yield* Effect.all(
            [Effect.result(changeJobs(one.writer, all(2))), Effect.result(changeJobs(two.writer, all(3)))],
            { concurrency: 2 },
          );
          assert.isTrue(both.some(Result.isSuccess));
          const weights = (entries: StoredJobs) => new Set(ids.map((id) => entries.get(id)?.job.weight));
          for (const { entries } of [one, two]) {
            yield* until(() => weights(entries).size === 1 && !weights(entries).has(1), 5_000);
          }
          const stale = yield* Effect.flip(
            changeJobs(one.writer, [{ put: job("new") }, { put: job("job-7", { weight: 9 }), ifRevision: 7 }]),
          );
          assert.strictEqual(stale._tag, "TransactionRefused");
          const leader = yield* leaderOf;
          yield* Effect.promise(() => cluster.kill(leader));
          // It may take some elections; each attempt tells by itself whether it landed.
          const after = yield* changeJobs(two.writer, all(4)).pipe(
            Effect.retry({ times: 20, schedule: Schedule.spaced(250) }),
          );
          assert.isTrue(after.every(({ change }) => change === "updated" || change === "unchanged"));
          yield* until(() => weights(two.entries).size === 1 && weights(two.entries).has(4), 10_000);
          assert.isUndefined(two.entries.get("new"));
        }).pipe(Effect.provide(Nats.layer({ servers: cluster.servers, name: "test" })), Effect.scoped);
      }).pipe(Effect.scoped),
    120_000,
  );
});
