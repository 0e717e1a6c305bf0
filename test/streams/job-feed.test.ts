import { assert, describe, it } from "@effect/vitest";
import { headers } from "@nats-io/transport-node";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import type { JobBucket } from "../../src/streams/job-bucket.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { makeJobFeed } from "../../src/streams/job-feed.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { jobSubject } from "../../src/streams/subjects.ts";
import { StoredJobs } from "../../src/streams/stored-jobs.ts";
import { quiet, storedJob } from "../support/world.ts";

interface Stored {
  readonly id: string;
  /** Undefined: a removal. */
  readonly customer?: string;
}

/** A bucket that answers one Direct Get with these, at sequences from 1 on, and nothing else that it is asked. */
const bucketOf = (stored: ReadonlyArray<Stored>): JobBucket => {
  let answer: (error: null, message: unknown) => void = () => {};
  const connection = {
    subscribe: (subject: string, options: { readonly callback: typeof answer }) => {
      if (subject.startsWith("_INBOX")) answer = options.callback;
      return { unsubscribe: () => {} };
    },
    publish: (_: string, request: string) => {
      const { seq } = JSON.parse(request) as { readonly seq: number };
      for (const [i, { customer, id }] of stored.entries()) {
        if (i + 1 < seq) continue;
        const head = headers();
        head.set("Nats-Sequence", String(i + 1));
        head.set("Nats-Subject", jobSubject(id));
        head.set("Nats-Time-Stamp", "2026-11-14T00:00:00Z");
        if (customer === undefined) head.set("KV-Operation", "DEL");
        const data = customer === undefined ? new Uint8Array() : encodeJob(storedJob(id, customer).job);
        answer(null, { headers: head, data, subject: "" });
      }
      answer(null, { headers: headers(204, "EOB"), data: new Uint8Array(), subject: "" });
    },
  };
  return {
    connection,
    describe: Effect.succeed({ created: "now", lastSequence: stored.length }),
    lastGoodBefore: () => Effect.succeed(undefined),
  } as unknown as JobBucket;
};

const feedOf = Effect.fnUntraced(function* (served: StoredJobs, ...stored: ReadonlyArray<Stored>) {
  const options = { entries: served, from: 0, jobsMax: 10, onFound: () => {} };
  return yield* makeJobFeed(bucketOf(stored), options);
});

/** `x` of acme is served at revision 1. */
const serving = () => {
  const table = new JobTable(8);
  const { job } = storedJob("x", "acme");
  table.put({ job, revision: 1 }, encodeJob(job));
  return new StoredJobs(table, 8);
};

describe("the feed of push jobs", () => {
  it.effect("knows a removal by the message itself: no replica has to be asked that may not have it yet", () =>
    Effect.gen(function* () {
      const stored = serving();
      yield* feedOf(stored, { id: "x", customer: "acme" }, { id: "x" });
      assert.deepStrictEqual([stored.has("x"), stored.size], [false, 0]);
      assert.deepStrictEqual(
        [...stored.pendingRemovals()].map(({ revision }) => revision),
        [2],
      );
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("says when the bucket was read to its end, again after going back", () =>
    Effect.gen(function* () {
      const feed = yield* feedOf(serving(), { id: "x", customer: "acme" }, { id: "y", customer: "beta" }, { id: "y" });
      assert.deepStrictEqual([feed.position(), feed.isCaughtUp()], [3, true]);
      feed.rewind(3);
      assert.isTrue(feed.isCaughtUp(), "it is there already");
      feed.rewind(1);
      assert.deepStrictEqual([feed.position(), feed.isCaughtUp()], [1, false]);
      yield* TestClock.adjust("1 second");
      assert.deepStrictEqual([feed.position(), feed.isCaughtUp()], [3, true]);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("knows which revision removed a job whose id is another customer's by now", () =>
    Effect.gen(function* () {
      const stored = serving();
      const [other, others] = [
        { id: "y", customer: "someone" },
        { id: "x", customer: "beta" },
      ];
      yield* feedOf(stored, { id: "x", customer: "acme" }, { id: "x" }, other, others);
      assert.deepStrictEqual(
        [...stored.pendingRemovals()].map(({ pairKey, revision }) => `${pairKey}@${revision}`),
        ["acme.http_requests@2"],
      );
      assert.deepStrictEqual([stored.get("x")?.revision, stored.heldBackFrom()], [4, 4]);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
