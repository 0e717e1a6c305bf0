import { assert, describe, it } from "vitest";
import type { Buffer } from "../../src/actors/buffer/buffer.ts";
import { PartitionState } from "../../src/actors/partition/partition-state.ts";
import type { WaitingBuffer } from "../../src/actors/residency/waiting-buffer.ts";
import { emptyBooks } from "../../src/domain/books.ts";
import { partitionOf as placeOf } from "../../src/domain/partition.ts";
import { reportsPage } from "../../src/node/job-reports.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { storedJob } from "../support/world.ts";
import { rowOf, scriptedClaim } from "../actors/partition/partition-fixture.ts";

const partitions = 2;
const dataset = "http_requests";

const accepted = (records: number) => ({ ...emptyBooks, accepted: { records, bytes: records } });

/** What an account is made of. */
const buffer = (job: string, records: number): Buffer =>
  ({
    jobId: job,
    pairKey: `c-${job}.${dataset}`,
    start: 0,
    ledger: { books: () => accepted(records) },
  }) as unknown as Buffer;

const waiting = (job: string, records: number): WaitingBuffer =>
  ({
    rowNow: () => rowOf(job, `c-${job}`, { books: accepted(records) }),
    origin: () => ({}),
  }) as unknown as WaitingBuffer;

const world = (jobs: ReadonlyArray<string>, owned: ReadonlyArray<number> = [0, 1]) => {
  const table = new JobTable(partitions);
  for (const [i, id] of jobs.entries()) table.put(storedJob(id, `c-${id}`, {}, i + 1));
  const states = owned.map((partition) => new PartitionState(partition, scriptedClaim().claim, "i"));
  const adopt = () => {
    const set = table.set(1);
    for (const state of states) state.jobs = set;
    return set;
  };
  const stateOf = (job: string) => states.find((each) => each.partition === placeOf(`c-${job}`, dataset, partitions));
  let set = adopt();
  return {
    table,
    adopt: () => void (set = adopt()),
    state: (job: string): PartitionState => stateOf(job)!,
    page: (after: string | undefined, limit: number) => reportsPage(states, set, { after, limit }, 1_000),
  };
};

const shown = (items: ReadonlyArray<{ readonly job: string; readonly books: typeof emptyBooks }>) =>
  items.map(({ books, job }) => `${job}:${books.accepted.records}`);

describe("a page of the books", () => {
  it("has each job once by id, wherever its books are, and empty ones for those that never had traffic", () => {
    const { page, state } = world(["a", "b", "c", "d", "e"]);
    state("b").rows.put(rowOf("b", "c-b", { books: accepted(2) }));
    state("c").buffers.set("c", buffer("c", 3));
    state("d").waitingBuffers.set("d", waiting("d", 4));
    assert.deepStrictEqual(shown(page(undefined, 10).items), ["a:0", "b:2", "c:3", "d:4", "e:0"]);
    const first = page(undefined, 3);
    assert.deepStrictEqual([shown(first.items), first.next], [["a:0", "b:2", "c:3"], "c"]);
    const last = page("c", 2);
    assert.deepStrictEqual([shown(last.items), last.next], [["d:4", "e:0"], undefined]);
  });

  it("keeps to the order while buffers wake and hibernate and jobs come and go between pages", () => {
    const ids = Array.from({ length: 40 }, (_, i) => `job-${String(i).padStart(2, "0")}`);
    const { adopt, page, state, table } = world(ids);
    const store = (id: string) => state(id).rows.put(rowOf(id, `c-${id}`, { books: accepted(1) }));
    for (const id of ids.slice(0, -1)) store(id);
    const move = (id: string) => {
      const { buffers, rows } = state(id);
      if (rows.take(id) !== undefined) buffers.set(id, buffer(id, 1));
      else if (buffers.delete(id)) store(id);
    };
    const seen: Array<string> = [];
    const counted: Array<string> = [];
    let after: string | undefined;
    for (let turn = 0; turn < 100; turn++) {
      const { items, next } = page(after, 3);
      seen.push(...items.map(({ job }) => job));
      counted.push(...items.filter(({ books }) => books.accepted.records === 1).map(({ job }) => job));
      if (next === undefined) break;
      after = next;
      for (let i = turn % 3; i < ids.length; i += 3) move(ids[i]!);
      table.put(storedJob(`job-${next.slice(4)}-new`, "newcomer", {}, 100 + turn));
      // Its first traffic, and hibernated again at once.
      if (turn === 3) store("job-39");
      if (turn === 5) {
        // Removed: its books go with it.
        table.delete("job-30");
        state("job-30").rows.take("job-30");
        state("job-30").buffers.delete("job-30");
      }
      adopt();
    }
    assert.deepStrictEqual(seen, [...new Set(seen)].toSorted(), "in order, none twice");
    const kept = ids.filter((id) => id !== "job-30");
    assert.deepStrictEqual(
      seen.filter((id) => ids.includes(id)),
      kept,
    );
    assert.deepStrictEqual(counted, kept, "with its books, wherever it was just then");
    assert.include(seen, "job-02-new", "what comes after the cursor is met as well");
  });

  it("leaves out jobs of partitions that another node owns", () => {
    const ids = Array.from({ length: 20 }, (_, i) => `job-${i}`);
    const pages = [0, 1].map((partition) =>
      world(ids, [partition])
        .page(undefined, 100)
        .items.map(({ job }) => job),
    );
    assert.isTrue(pages.every((page) => page.length > 0 && page.length < 20));
    assert.sameMembers(pages.flat(), ids);
  });

  it("shows both accounts of an id that was given to another customer, in one page", () => {
    const { page, state } = world(["a", "b", "c"]);
    const other = ["x0", "x1", "x2", "x3", "x4"].find((id) => state(id) !== state("b"))!;
    state("b").rows.put(rowOf("b", "c-b", { books: accepted(1) }));
    state(other).rows.put(rowOf("b", `c-${other}`, { books: accepted(2) }));
    const { items, next } = page("a", 1);
    assert.sameMembers([...shown(items)], ["b:1", "b:2"]);
    assert.strictEqual(next, "b");
  });
});
