import { assert, describe, it } from "@effect/vitest";
import { bookUnread } from "../../../src/actors/partition/reader-gap.ts";
import { jobSetOf, storedJob } from "../../support/world.ts";
import { unexplained } from "../../../src/domain/books.ts";
import { addBuffer, partitionOf, pendingBooks, rowOf, scriptedClaim } from "./partition-fixture.ts";

const batch = { maxBytes: 200, maxRecords: 1_000, maxIntervalSeconds: 1 };

/** A reader that has come to 10, with 10 records pending of each of these jobs of customer `a`. */
const world = (...rows: ReadonlyArray<Partial<ReturnType<typeof rowOf>> & { readonly job: string }>) => {
  const state = partitionOf(scriptedClaim().claim, 10);
  const buffers = rows.map((row) =>
    addBuffer(state, rowOf(row.job, "a", { counted: 10, books: pendingBooks(10), ...row }), batch),
  );
  state.jobs = jobSetOf(
    rows.map(({ job }) => storedJob(job, "a")),
    1,
  );
  return { buffers, state };
};

/** Messages 11 to 20 were lost before they were read: 33 records, as their forwarder's numbers say. */
const lose = (state: ReturnType<typeof world>["state"], records = 33) => bookUnread(state, 10, 21, records, 5_000);

describe("messages that were lost before they were read", () => {
  it("are booked and receipted for every job of the one pair that they can have been of", () => {
    const { buffers, state } = world({ job: "one" }, { job: "two" });
    assert.isTrue(lose(state));
    for (const { jobId, ledger } of buffers) {
      const books = ledger.books();
      assert.strictEqual(books.accepted.records, 43, jobId);
      assert.strictEqual(books.expired.records, 33);
      assert.strictEqual(books.pending.records, 10, "what it had pending is still there");
      assert.deepStrictEqual(unexplained(books), { records: 0, bytes: 0 });
    }
    assert.deepStrictEqual(
      state.receipts.map(({ firstSequence, job, lastSequence, reason, records }) => [
        job,
        firstSequence,
        lastSequence,
        records,
        reason,
      ]),
      [
        ["one", 11, 20, 33, "expired"],
        ["two", 11, 20, 33, "expired"],
      ],
    );
    assert.isTrue(
      buffers.every((buffer) => buffer.dirtiness() === "urgent"),
      "durable with the next checkpoint",
    );
  });

  it("are nobody's in particular where two pairs have push jobs, also one that is not in memory", () => {
    const { buffers, state } = world({ job: "one" });
    state.jobs = jobSetOf([storedJob("one", "a"), storedJob("other", "b")], 1);
    assert.isFalse(lose(state));
    assert.strictEqual(buffers[0]!.ledger.books().expired.records, 0);
    assert.lengthOf(state.receipts, 0);
  });

  it("are in the books of a row already that counts further than the reader had come", () => {
    const { buffers, state } = world({ job: "ahead", counted: 15 }, { job: "new", start: 12 }, { job: "one" });
    assert.isFalse(lose(state), "not everybody could be told");
    assert.deepStrictEqual(
      buffers.map(({ ledger }) => ledger.books().expired.records),
      [0, 0, 33],
    );
  });

  it("are nothing when they held no records: ticks, and what nobody can say of", () => {
    const { state } = world({ job: "one" });
    assert.isFalse(lose(state, 0));
    assert.lengthOf(state.receipts, 0);
  });
});
