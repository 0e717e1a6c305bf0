import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyJobsFile } from "../../src/control/apply-jobs.ts";
import { restoreRedacted } from "../../src/control/redact-job.ts";
import { completeJob } from "../../src/node/complete-job.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import { job, onNode } from "../support/job-nodes.ts";
import { removeTree } from "../support/remove-tree.ts";

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
    (directory) => Effect.promise(() => removeTree(directory)),
  );

const apply = (path: string) => applyJobsFile(path, completeJob({ allowPrivateDestinations: false }));

describe("a jobs file, applied", () => {
  it.live("is one transaction up to a thousand jobs that differ, and several above", () =>
    onNode(
      withFile((write) =>
        Effect.gen(function* () {
          const store = yield* JobStore;
          const many = Array.from({ length: 2_100 }, (_, i) => job(`job-${i}`, { customer: `c-${i}` }));
          const thousand = yield* apply(yield* write(many.slice(0, 1_000)));
          assert.deepInclude(thousand, { added: 1_000, transactions: 1, revision: 1_000 });
          const rest = yield* apply(yield* write(many));
          assert.deepInclude(rest, { added: 1_100, changed: 0, unchanged: 1_000, transactions: 2, revision: 2_100 });
          assert.strictEqual(yield* store.count, 2_100);
          const again = yield* apply(yield* write(many));
          assert.deepInclude(again, { added: 0, unchanged: 2_100, transactions: 0, revision: 0 });
          // What no transaction could store is found before the first of several is sent.
          const large = job("large", { destination: { kind: "file", path: `/${"x".repeat(70_000)}` } });
          const changed = many.map((each) => ({ ...each, enabled: false }));
          const error = yield* Effect.flip(applyJobsFile(yield* write([...changed, large]), restoreRedacted));
          assert.match(error.message, /jobs\[2100\]: Job large takes \d+ bytes/);
          assert.strictEqual((yield* store.get("job-0"))?.revision, 1);
        }),
      ),
    ),
  );

  it.live("stores what differs and removes nothing", () =>
    onNode(
      withFile((write) =>
        Effect.gen(function* () {
          const store = yield* JobStore;
          const first = yield* apply(yield* write([job("a"), job("b"), job("c")]));
          assert.deepInclude(first, { added: 3, changed: 0, unchanged: 0, notInFile: 0 });
          yield* store.awaitServed(first.revision);
          const path = yield* write([job("a"), job("b", { enabled: false }), job("d")]);
          assert.deepInclude(yield* apply(path), { added: 1, changed: 1, unchanged: 1, notInFile: 1 });
          assert.deepInclude(yield* apply(path), {
            added: 0,
            changed: 0,
            unchanged: 3,
            notInFile: 1,
            revision: 0,
          });
          assert.deepStrictEqual(
            (yield* store.page(undefined, 100)).items.map((each) => each.job.id as string),
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
          const error = yield* Effect.flip(apply(path));
          assert.deepInclude(error, { _tag: "JobsFileError" });
          const lines = error.message.replaceAll(path, "F").split("\n");
          assert.lengthOf(lines, 2);
          assert.match(lines[0] ?? "", /^F:20:16: jobs\[1\]\.customer: cannot change/);
          assert.match(lines[1] ?? "", /^F:\d+:\d+: jobs\[2\]\.destination\.headers\.K: is \[redacted\]/);
          assert.lengthOf((yield* store.page(undefined, 100)).items, 1);
        }),
      ),
    ),
  );

  it.live("stores nothing when a job has a destination that no node would deliver to", () =>
    onNode(
      withFile((write) =>
        Effect.gen(function* () {
          const store = yield* JobStore;
          const blocked = job("b", { destination: { kind: "http", url: "https://127.0.0.1/" } });
          const path = yield* write([job("a"), blocked]);
          const error = yield* Effect.flip(apply(path));
          assert.deepInclude(error, { _tag: "JobsFileError" });
          assert.match(error.message.replaceAll(path, "F"), /^F:\d+:\d+: jobs\[1\]\.destination: .*127\.0\.0\.1/);
          assert.strictEqual(yield* store.count, 0);
        }),
      ),
    ),
  );
});
