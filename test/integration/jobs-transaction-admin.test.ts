import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import type { TransactionNote } from "../../src/api/job-transactions-port.ts";
import { ApiUnavailable } from "../../src/api/ports.ts";
import { makeJobTransactions } from "../../src/node/job-transactions.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import { job, onNode } from "../support/job-nodes.ts";

const http = (id: string, key: string, url = "https://example.com/") => ({
  ...job(id, { destination: { kind: "http", url, headers: { "X-Key": key } } }),
});

const noted: Array<TransactionNote> = [];
const note = (about: TransactionNote) => Effect.sync(() => void noted.push(about));

describe("transactions for the API", () => {
  it.live("keep the secrets that are stored, and are in force when the answer comes", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* makeJobTransactions({ allowPrivateDestinations: false });
        const store = yield* JobStore;
        const first = yield* change(
          { changes: [{ put: http("a", "s3cret") }, { put: job("b") }], reason: "new" },
          note,
        );
        assert.deepStrictEqual(noted.splice(0), [{ put: ["a", "b"], remove: [], reason: "new" }]);
        const jobs = yield* Jobs;
        assert.deepStrictEqual([...jobs.served().byId.keys()].toSorted(), ["a", "b"]);
        const shown = http("a", "[redacted]");
        const second = yield* change({ changes: [{ put: { ...shown, weight: 3 } }, { remove: "b" }] }, note);
        assert.deepStrictEqual(
          second.changes.map((each) => each.change),
          ["updated", "removed"],
        );
        assert.deepStrictEqual((yield* store.get("a"))?.job, { ...http("a", "s3cret"), weight: 3 });
        assert.notInclude(JSON.stringify([first, second]), "s3cret");
        const same = yield* change({ changes: [{ put: { ...shown, weight: 3 } }], dryRun: true }, note);
        assert.deepStrictEqual([same.dryRun, same.changes[0]?.change], [true, "unchanged"]);
        assert.lengthOf(noted.splice(0), 1, "a dry run is not noted");
      }),
    ),
  );

  it.live("tell everything that is wrong at once, whether it can be read or not, and store nothing", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* makeJobTransactions({ allowPrivateDestinations: false });
        const store = yield* JobStore;
        yield* store.put(job("a"));
        const revision = (yield* store.get("a"))?.revision ?? 0;
        const changes = [
          { put: { ...job("new"), batch: { maxBytes: 1 } } },
          { put: job("a", { customer: "globex" }) },
          { put: job("fine") },
          { put: http("b", "[redacted]") },
          { put: http("c", "key", "http://127.0.0.1/") },
          { put: job("a"), ifRevision: revision + 7 },
        ];
        const invalid = yield* Effect.flip(change({ changes }, note));
        assert(invalid._tag === "InvalidTransaction");
        assert.deepStrictEqual(
          invalid.problems.map((text) => text.split(": ")[0]),
          [
            "changes[0].put.batch.maxBytes",
            "changes[1].put.customer",
            "changes[3].put.destination.headers.X-Key",
            "changes[4].put.destination",
            "changes[5]",
            "changes[5]",
          ],
        );
        assert.lengthOf(noted.splice(0), 0);
        const stale = yield* Effect.flip(change({ changes: [{ put: job("fine") }, changes[5]] }, note));
        assert.strictEqual(stale._tag, "TransactionConflict");
        assert.match(
          (stale as { problems: ReadonlyArray<string> }).problems[0] ?? "",
          /^changes\[1\]: Job a is at revision/,
        );
        assert.strictEqual(yield* store.count, 1);
      }),
    ),
  );

  it.live("do nothing that cannot be noted", () =>
    onNode(
      Effect.gen(function* () {
        const { change } = yield* makeJobTransactions({ allowPrivateDestinations: false });
        const refused = yield* Effect.flip(
          change({ changes: [{ put: job("a") }] }, () =>
            Effect.fail(new ApiUnavailable({ detail: "the log is full" })),
          ),
        );
        assert.deepInclude(refused, { _tag: "ApiUnavailable", detail: "the log is full" });
        assert.strictEqual(yield* (yield* JobStore).count, 0);
      }),
    ),
  );
});
