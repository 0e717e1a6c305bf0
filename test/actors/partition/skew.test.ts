import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import type { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import type { Row } from "../../../src/actors/ports/checkpoints.ts";
import type { LogMessage } from "../../../src/actors/ports/log.ts";
import { accountIn } from "../../../src/actors/residency/accounts.ts";
import { addBooks, emptyBooks } from "../../../src/domain/books.ts";
import { jobSetOf, storedJob } from "../../support/world.ts";
import { pendingBooks, registerOf, rowOf } from "./partition-fixture.ts";
import { logUnder, ownerOf } from "./skew-owner.ts";

const ant = storedJob("ant-0", "ant");
const ant1 = storedJob("ant-1", "ant");
const empty = (number: number) => jobSetOf([], 1, number);

const owner = (messages: ReadonlyArray<LogMessage>, rows: ReadonlyArray<Row>, scan = 0) =>
  ownerOf([...messages], rows, registerOf({ scan }));

type Owner = ReturnType<typeof owner>;

const fateOf = (state: PartitionState, job = "ant-0") => {
  const buffer = state.buffers.get(job);
  const { accepted, pending } = accountIn(state, job)!.books;
  return { accepted: accepted.records, pending: pending.records, cursor: buffer?.cursor };
};

const delivered = (records: number) =>
  addBooks(emptyBooks, {
    ...emptyBooks,
    accepted: { records, bytes: records * 10 },
    delivered: { records, bytes: records * 10 },
  });

describe("an owner that is behind its forwarders", () => {
  it.effect("gives a new job all that it will read again, be it of a forwarder that is as far behind", () =>
    Effect.gen(function* () {
      const { adopt, read, state } = owner(logUnder([2, 1, 2]), []);
      yield* adopt(jobSetOf([storedJob("ant-1", "ant")], 1, 1));
      yield* read;
      yield* adopt(jobSetOf([ant, storedJob("ant-1", "ant")], 1, 2));
      assert.deepStrictEqual(fateOf(state), { accepted: 3, pending: 3, cursor: 0 });
    }),
  );

  it.effect("leaves early records to their set when their job is gone before that comes: it may be back by then", () =>
    Effect.gen(function* () {
      const behind = () => owner(logUnder([1, 3, 1, 3]), []);
      const back = behind();
      yield* back.adopt(jobSetOf([ant], 1, 1));
      yield* back.read;
      yield* back.adopt(empty(2));
      yield* back.adopt(jobSetOf([ant], 1, 3));
      assert.deepStrictEqual(fateOf(back.state), { accepted: 3, pending: 3, cursor: 1 });
      assert.deepStrictEqual(yield* back.receipts, [["deleted", 1, 1]]);
      const gone = behind();
      yield* gone.adopt(jobSetOf([ant], 1, 1));
      yield* gone.read;
      yield* gone.adopt(empty(2));
      yield* gone.adopt(empty(3));
      assert.deepStrictEqual(yield* gone.receipts, [
        ["deleted", 1, 1],
        ["unclaimed", 2, 3],
      ]);
    }),
  );
});

describe("the job of a row that nobody can explain", () => {
  it.effect("begins anew when nothing was pending, with what came early and its row has not counted", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { cursor: 1, counted: 1, books: delivered(1) });
      const { adopt, read, receipts, state } = owner(logUnder([2, 2, 1, 2]), [row]);
      yield* adopt(empty(1));
      yield* read;
      yield* adopt(jobSetOf([ant, ant1], 1, 2));
      assert.deepStrictEqual(fateOf(state), { accepted: 3, pending: 3, cursor: 1 });
      assert.deepStrictEqual(fateOf(state, "ant-1"), { accepted: 4, pending: 4, cursor: 0 });
      assert.deepStrictEqual(yield* receipts, []);
    }),
  );

  it.effect("is back with what was pending and with all that came since", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { counted: 2, books: pendingBooks(2) });
      const { adopt, read, receipts, state } = owner(logUnder([1, 1, 1, 2]), [row], 2);
      yield* adopt(empty(1));
      assert.strictEqual(state.buffers.size + state.waitingBuffers.size, 0, "nothing is in memory for it");
      yield* read;
      assert.deepStrictEqual(fateOf(state), { accepted: 4, pending: 4, cursor: undefined });
      yield* adopt(jobSetOf([ant], 1, 2));
      assert.deepStrictEqual(fateOf(state), { accepted: 4, pending: 4, cursor: 0 });
      assert.deepStrictEqual(yield* receipts, []);
    }),
  );

  it.effect("is given no place, and has one receipt for all of it once the store says that it was removed", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { counted: 2, books: pendingBooks(2) });
      const { absences, adopt, read, receipts, state } = owner(logUnder([1, 1, 1, 2]), [row], 2);
      yield* adopt(empty(1));
      yield* read;
      yield* adopt(empty(2));
      assert.strictEqual(state.buffers.size, 0);
      absences["ant-0"] = "removed";
      yield* adopt(empty(3));
      assert.deepStrictEqual(yield* receipts, [["deleted", 1, 4]]);
    }),
  );

  it.effect("begins anew after what was nobody's, or another's, while nothing was pending", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { start: 1, cursor: 3, counted: 3, books: delivered(2) });
      const { adopt, grow, read, receipts, written } = owner(logUnder([1, 1, 1, 1]), [row]);
      yield* adopt(empty(1));
      yield* read;
      yield* adopt(jobSetOf([ant1], 1, 2));
      grow([2]);
      yield* read;
      yield* adopt(jobSetOf([ant, ant1], 1, 3));
      grow([3]);
      yield* read;
      assert.deepStrictEqual(yield* receipts, [["unclaimed", 1, 2]]);
      assert.deepStrictEqual(
        written
          .at(-1)!
          .rows.map(({ books, counted, deleted, job, start }) => [
            job,
            deleted,
            start,
            counted,
            books.accepted.records,
          ]),
        [
          ["ant-0", true, 1, 3, 2],
          ["ant-1", false, 4, 6, 2],
          ["ant-0", false, 5, 6, 1],
        ],
      );
    }),
  );

  it.effect("has what came early in its books while it hibernates with something pending", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { counted: 1, books: pendingBooks(1) });
      const { adopt, read, receipts, reap, state } = owner(logUnder([1, 2]), [row], 1);
      yield* adopt(empty(1));
      yield* read;
      yield* checkpoint(state, "me", state.rowed());
      yield* reap;
      yield* TestClock.adjust("2 seconds");
      yield* reap;
      assert.strictEqual(state.waitingBuffers.size, 0);
      yield* adopt(empty(2));
      assert.strictEqual(fateOf(state).pending, 2);
      assert.deepStrictEqual(yield* receipts, []);
    }),
  );
});

describe("an owner that reads again what was read before it", () => {
  it.effect("has what the row of an idle job has counted in nobody else's books, though the job is gone", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { cursor: 2, counted: 2, books: delivered(2) });
      const { adopt, read, receipts } = owner(logUnder([1, 1, 1]), [row]);
      yield* adopt(empty(1));
      yield* read;
      assert.deepStrictEqual(yield* receipts, [["unclaimed", 3, 1]]);
    }),
  );

  it.effect("is told with the receipts of what was nobody's where the jobs of the pair began", () =>
    Effect.gen(function* () {
      const { adopt, grow, read, state, written } = owner(logUnder([1]), []);
      yield* adopt(empty(1));
      yield* read;
      grow([2]);
      yield* adopt(jobSetOf([ant], 1, 2));
      yield* read;
      yield* checkpoint(state, null, []);
      const [{ receipts, rows }] = written as [(typeof written)[0]];
      assert.deepStrictEqual([receipts.length, rows.map(({ job, start }) => [job, start])], [1, [["ant-0", 1]]]);
    }),
  );

  it.effect("books what came before a job as nobody's, though the job is there now", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { start: 2, cursor: 2, counted: 3, books: pendingBooks(1) });
      const { adopt, read, receipts, state } = owner(logUnder([1, 1, 2]), [row]);
      yield* adopt(jobSetOf([ant], 1, 2));
      yield* read;
      assert.deepStrictEqual(fateOf(state), { accepted: 1, pending: 1, cursor: 2 });
      assert.deepStrictEqual(yield* receipts, [["unclaimed", 1, 2]]);
    }),
  );

  it.effect("begins a job after what is in the books of one of its name that is gone", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { cursor: 2, counted: 2, books: delivered(2), deleted: true });
      const { adopt, read, receipts, state } = owner(logUnder([1, 1, 2]), [row]);
      yield* adopt(jobSetOf([ant], 1, 2));
      yield* read;
      assert.deepStrictEqual(fateOf(state), { accepted: 1, pending: 1, cursor: 2 });
      assert.deepStrictEqual(yield* receipts, []);
    }),
  );

  it.effect("knows from a job's row what one of its name that is gone has booked", () =>
    Effect.gen(function* () {
      const { adopt, read, receipts, written } = owner(logUnder([1, 1, 1, 1]), [], 0);
      yield* adopt(jobSetOf([ant], 1, 1));
      yield* read;
      yield* adopt(empty(2));
      yield* adopt(jobSetOf([ant], 1, 3));
      yield* receipts;
      const former = [{ pairKey: "ant.http_requests", start: 0, counted: 4 }];
      assert.deepStrictEqual(written.at(-1)!.rows.at(-1)!.former, former);
      // Its row in place of that one's, and a scan that another job held back.
      const row = rowOf("ant-0", "ant", { start: 4, cursor: 4, counted: 6, books: pendingBooks(2), former });
      const next = owner(logUnder([1, 1, 1, 1, 3, 3]), [row]);
      yield* next.adopt(jobSetOf([ant], 1, 3));
      yield* next.read;
      assert.deepStrictEqual(yield* next.receipts, []);
    }),
  );

  it.effect("takes leave of a job once all that its row counts was read again, for what of that is early is left", () =>
    Effect.gen(function* () {
      const books = addBooks(delivered(1), pendingBooks(3));
      const row = rowOf("ant-0", "ant", { cursor: 1, counted: 4, books });
      const [back, gone, idle] = [1, 2, 3].map(() => owner(logUnder([1, 3, 1, 3]), [row])) as [Owner, Owner, Owner];
      for (const { adopt, read, state, written } of [back, gone, idle]) {
        yield* adopt(jobSetOf([ant], 1, 1));
        yield* adopt(empty(2));
        assert.deepStrictEqual([...state.lateLeaves], ["ant-0"]);
        yield* checkpoint(state, "me", state.rowed());
        assert.deepStrictEqual(written.at(-1)!.receipts, []);
        yield* read;
      }
      yield* back.adopt(jobSetOf([ant], 1, 3));
      assert.deepStrictEqual(fateOf(back.state), { accepted: 4, pending: 3, cursor: 1 });
      assert.deepStrictEqual(yield* back.receipts, []);
      // Nothing was early for it, as far as this owner has come by then.
      yield* gone.adopt(empty(4));
      assert.deepStrictEqual(yield* gone.receipts, [["deleted", 2, 3]]);
      // What the reaper does, without a new set.
      yield* idle.leave;
      assert.strictEqual(idle.state.lateLeaves.size, 0);
      yield* idle.adopt(empty(3));
      assert.deepStrictEqual(yield* idle.receipts, [["unclaimed", 2, 3]]);
    }),
  );

  it.effect("has nothing in the books of a job that left, but what they go to", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { counted: 3, books: pendingBooks(3) });
      const { absences, adopt, leave, read, receipts } = owner(logUnder([1, 3, 1, 3]), [row]);
      absences["ant-0"] = "removed";
      yield* adopt(empty(1));
      yield* read;
      yield* leave;
      yield* adopt(empty(3));
      assert.deepStrictEqual(yield* receipts, [
        ["deleted", 1, 1],
        ["unclaimed", 2, 3],
      ]);
    }),
  );

  it.effect("holds in a job's books what it read before that job was gone, too", () =>
    Effect.gen(function* () {
      for (const books of [addBooks(delivered(1), pendingBooks(3)), delivered(4)]) {
        const pending = books.pending.records;
        const row = rowOf("ant-0", "ant", { cursor: pending > 0 ? 1 : 4, counted: 4, books });
        const { adopt, grow, leave, read, receipts } = owner(logUnder([1, 3]), [row]);
        yield* adopt(jobSetOf([ant], 1, 1));
        yield* read;
        yield* adopt(empty(2));
        yield* adopt(empty(3));
        grow([1, 3]);
        yield* read;
        yield* leave;
        assert.deepStrictEqual(yield* receipts, pending > 0 ? [["deleted", 2, 3]] : []);
      }
    }),
  );

  it.effect("leaves what is early for a job to its set, though a former life of it held some of that", () =>
    Effect.gen(function* () {
      const { adopt, read, receipts, state } = owner(logUnder([8, 12]), []);
      yield* adopt(empty(4));
      yield* read;
      yield* adopt(jobSetOf([ant], 1, 5));
      // As if the first was delivered.
      state.buffers.get("ant-0")!.moveCursor(1, "shed", "skipped", { records: 1, bytes: 10 }, 0);
      yield* adopt(empty(6));
      yield* adopt(jobSetOf([ant], 1, 9));
      assert.strictEqual(fateOf(state).pending, 1);
      yield* adopt(empty(10));
      yield* adopt(jobSetOf([ant], 1, 12));
      assert.strictEqual(fateOf(state).pending, 1);
      assert.deepStrictEqual(yield* receipts, []);
    }),
  );

  it.effect("asks the store about nobody while one is read again", () =>
    Effect.gen(function* () {
      const idle = ["ant-1", "ant-2"].map((job) => rowOf(job, "ant"));
      const late = rowOf("ant-0", "ant", { cursor: 4, counted: 4, books: delivered(4) });
      const { adopt, asked, leave } = owner(logUnder([1, 3]), [late, ...idle]);
      yield* adopt(empty(1));
      assert.deepStrictEqual(asked, ["ant-1", "ant-2"]);
      yield* leave;
      assert.strictEqual(asked.length, 2);
    }),
  );

  it.effect("pushes nothing for a job of which it cannot take leave yet", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { cursor: 1, counted: 3, books: pendingBooks(2) });
      const { adopt, state } = owner(logUnder([1, 1, 1]), [row]);
      yield* adopt(jobSetOf([ant], 1, 1));
      assert.isTrue(state.buffers.get("ant-0")!.newest.job.enabled);
      yield* adopt(empty(2));
      assert.isFalse(state.buffers.get("ant-0")!.newest.job.enabled);
      yield* adopt(jobSetOf([ant], 1, 3));
      assert.isTrue(state.buffers.get("ant-0")!.newest.job.enabled);
    }),
  );

  it.effect("closes the books of another pair's job of that name where its row has counted", () =>
    Effect.gen(function* () {
      const row = rowOf("ant-0", "ant", { counted: 2, books: pendingBooks(2) });
      const { adopt, read, receipts } = owner(logUnder([1, 1, 1]), [row]);
      yield* adopt(jobSetOf([storedJob("ant-0", "bee")], 1, 1));
      yield* read;
      assert.deepStrictEqual(yield* receipts, [
        ["deleted", 1, 2],
        ["unclaimed", 3, 1],
      ]);
      // The same, and what is read again is newer than what this owner knows.
      const behind = owner(logUnder([3, 3, 3]), [row]);
      yield* behind.adopt(jobSetOf([storedJob("ant-0", "bee")], 1, 1));
      yield* behind.read;
      yield* behind.adopt(jobSetOf([storedJob("ant-0", "bee")], 1, 3));
      assert.deepStrictEqual(yield* behind.receipts, [
        ["deleted", 1, 2],
        ["unclaimed", 3, 1],
      ]);
    }),
  );
});
