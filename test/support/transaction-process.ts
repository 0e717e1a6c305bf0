import { Effect } from "effect";
import type { PushJob } from "../../src/domain/push-job.ts";
import { openJobBucket } from "../../src/streams/job-bucket.ts";
import { changeJobs } from "../../src/streams/job-transaction.ts";
import { makeJobView } from "../../src/streams/job-view.ts";
import { Nats } from "../../src/streams/nats.ts";

/** Sends one transaction of a thousand large jobs to the server of the first argument, and says when it is stored. */
const [url = ""] = process.argv.slice(2);

const entries = Object.assign(new Map(), { idsAfter: () => [] });
const view = makeJobView({ entries, position: () => 0, nudge: () => {} });

const jobs = Array.from(
  { length: 1_000 },
  (_, i) =>
    ({
      id: `bulk-${i}`,
      customer: "acme",
      dataset: "http_requests",
      enabled: true,
      destination: { kind: "file", path: `/${"x".repeat(60_000)}` },
      batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
    }) as unknown as PushJob,
);

await Effect.gen(function* () {
  const bucket = yield* openJobBucket(1);
  const edits = jobs.map((put) => ({ put }));
  const changed = yield* changeJobs({ bucket, view, jobsMax: 20_000 }, edits);
  process.stdout.write(`stored ${changed.length}\n`);
}).pipe(Effect.provide(Nats.layer({ servers: url, name: "transaction" })), Effect.runPromise);
