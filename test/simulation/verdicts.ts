import { assert } from "vitest";
import type { Buffer as PushBuffer } from "../../src/actors/buffer/buffer.ts";
import type { Owner } from "../../src/actors/owner.ts";
import type { Row } from "../../src/actors/ports/checkpoints.ts";
import { addTally, type Tally, unexplained } from "../../src/domain/books.ts";
import type { ScriptedCheckpoints } from "./scripted-checkpoints.ts";
import { poisonMark, type ScriptedLog } from "./scripted-log.ts";
import type { ScriptedStore } from "./scripted-store.ts";
import type { StoredJob } from "../../src/domain/push-job.ts";
import type { PartitionWorld } from "./partition-world.ts";
import { batchesOf, type Own } from "./reference-batches.ts";

const nothing = { records: 0, bytes: 0 };

/** Of the chunks up to a sequence. */
const tallyOf = (own: ReadonlyArray<Own>, until = Infinity): Tally => {
  const tally = { records: 0, bytes: 0 };
  for (const { bytes, records, sequence } of own) {
    if (sequence > until) break;
    tally.records += records;
    tally.bytes += bytes;
  }
  return tally;
};

/** Asked some hundred thousand times a run, and chai is slow when it has nothing to say. */
const assertTally = (actual: Tally, expected: Tally, what: string): void => {
  if (actual.records !== expected.records || actual.bytes !== expected.bytes)
    assert.deepStrictEqual(actual, expected, what);
};

const pick = ({ countedBefore, jobId, pairKey, start }: PushBuffer) => ({ job: jobId, countedBefore, pairKey, start });

const told = (row: Row) => ({ ...row, countedBefore: row.counted });

/** What a verdict needs of a world, be it of one partition or of a node. */
interface Told {
  readonly log: Pick<ScriptedLog, "referenceFor">;
  readonly checkpoints: Pick<ScriptedCheckpoints, "rows" | "receipts">;
  readonly letters: ReadonlyMap<string, string>;
  readonly store: ScriptedStore;
}

/** I5, of an owner at any moment: the books balance and hold what the log held up to the reader's position. */
export const assertBooksBalance = ({ log }: Pick<Told, "log">, owner: Owner["Service"]): void => {
  for (const { state } of owner.owned().values()) {
    const { buffers, position, rows, waitingBuffers } = state;
    const resident = [...buffers.values()].map((buffer) => ({ ...pick(buffer), books: buffer.ledger.books() }));
    const waiting = [...waitingBuffers.values()].map((buffer) => buffer.rowNow()).map(told);
    const hibernated = [...rows].map(told);
    for (const { books, countedBefore, job, pairKey, start } of [...resident, ...waiting, ...hibernated]) {
      assertTally(unexplained(books), nothing, `${job}: unexplained`);
      const counted = Math.max(position, countedBefore);
      const { own } = log.referenceFor(pairKey, start);
      assertTally(books.accepted, tallyOf(own, counted), `${job}: accepted up to ${counted}`);
    }
  }
};

/**
 * What is durable must be enough to go on from, whenever the owner dies.
 *
 * @param jobs of this partition, that were there from the beginning
 */
export const assertStoredIsWhole = (
  { checkpoints, log }: Pick<Told, "log"> & { readonly checkpoints: ScriptedCheckpoints },
  jobs: ReadonlyArray<StoredJob>,
): void => {
  const { lowWater, scan } = checkpoints.register!;
  assert.isAtLeast(scan, checkpoints.known.scan, "the scan never falls");
  assert.isAtLeast(lowWater, checkpoints.known.lowWater, "the low-water mark never falls");
  assert.isAtMost(lowWater, scan);
  const rows = checkpoints.rows();
  for (const row of rows) {
    const { own } = log.referenceFor(row.pairKey, row.start);
    assertTally(row.books.accepted, tallyOf(own, row.counted), `${row.job}: counted ${row.counted}`);
    assertTally(unexplained(row.books), nothing, `${row.job}: unexplained in the row`);
    const settled = Math.min(row.cursor, row.counted);
    const { deadLettered, delivered, expired, shed } = row.books;
    assertTally(
      [delivered, deadLettered, expired, shed].reduce(addTally),
      tallyOf(own, settled),
      `${row.job}: settled up to ${row.cursor}`,
    );
    const skipped = own.find(({ sequence }) => sequence > row.counted && sequence <= scan);
    assert.isUndefined(skipped, `${row.job}: the scan ${scan} passed a chunk that is in no durable row`);
    if (row.books.pending.records > 0) assert.isAtMost(lowWater, row.cursor, `${row.job}: low water`);
    assert.isAtMost(row.cuts.length, 4);
  }
  for (const { job } of jobs) {
    if (rows.some((row) => row.job === job.id)) continue;
    const { own } = log.referenceFor(`${job.customer}.${job.dataset}`, 0);
    assert.isUndefined(
      own.find(({ sequence }) => sequence <= scan),
      `${job.id}: has no row, and chunks below the scan`,
    );
  }
};

/** After the end: every record exactly once, in order, in the batches that log and rows dictate. */
export const assertExactlyOnce = (world: PartitionWorld): void => {
  const { checkpoints, log, store } = world;
  assert.deepStrictEqual(store.violations, []);
  for (const row of checkpoints.rows()) {
    const reference = log.referenceFor(row.pairKey, row.start);
    const objects = store.of(row.job);
    const content = objects.map((object) => object.content).join("");
    const lines = linesOf(reference.own);
    const poison = lines.filter((line) => line.includes(poisonMark));
    assert.strictEqual(content, lines.filter((line) => !line.includes(poisonMark)).join(""), row.job);
    const dead = { records: poison.length, bytes: poison.join("").length };
    assert.deepStrictEqual(row.books.deadLettered, dead, `${row.job}: dead letters in the books`);
    for (const line of poison) assert.isTrue(world.letters.has(`${row.job} ${line}`), `${line} is a dead letter`);
    assert.deepStrictEqual(addTally(row.books.delivered, dead), tallyOf(reference.own), `${row.job}: delivered`);
    assert.deepStrictEqual(row.books.pending, nothing, `${row.job}: pending`);
    assertReceipted(world, row.job, dead);
    if (world.revisions > 0 || poison.length > 0) continue;
    const limits = world.jobs.byId.get(row.job)!.job.batch;
    const batches = batchesOf(reference, limits, [...(checkpoints.cuts.get(row.job) ?? [])], row.start);
    assert.deepStrictEqual(
      objects.map(({ first, last }) => `${first}-${last}`),
      batches.map(({ first, last }) => `${first}-${last}`),
      `${row.job}: batches`,
    );
  }
};

const linesOf = (own: ReadonlyArray<Own>): ReadonlyArray<string> =>
  own.flatMap(({ raw }) =>
    Buffer.from(raw)
      .toString()
      .split(/(?<=\n)/),
  );

/** Whatever a destination did not get has receipts, and nothing else has. */
const assertReceipted = ({ checkpoints }: PartitionWorld, job: string, dead: Tally): void => {
  const own = [...checkpoints.receipts.values()].filter((receipt) => receipt.job === job);
  assert.deepStrictEqual(
    own.filter(({ reason }) => reason !== "deadLettered"),
    [],
    `${job}: receipts`,
  );
  assert.deepStrictEqual(own.reduce(addTally, nothing), dead, `${job}: records on receipts`);
};

/** What forwarders accepted for a job is the job's, however late its owner heard of it. */
export const assertNobodyMissed = ({ checkpoints, jobs, log, since }: PartitionWorld): void => {
  const rows = new Map(checkpoints.rows().map((row) => [row.job, row]));
  for (const { job } of jobs.byId.values()) {
    const first = log
      .referenceFor(`${job.customer}.${job.dataset}`, 0)
      .own.find(({ sequence }) => log.messages[sequence - 1]!.jobSet >= since.get(job.id)!);
    if (first === undefined) continue;
    const start = rows.get(job.id)?.start ?? Infinity;
    assert.isBelow(start, first.sequence, `${job.id}: it began after a chunk that was accepted for it`);
  }
};

/** What there is no job for has receipts: each record one. */
export const assertUnclaimed = ({ checkpoints, log }: Told, pairKey: string): void => {
  const receipts = [...checkpoints.receipts.values()].filter(({ reason }) => reason === "unclaimed");
  assert.isTrue(receipts.every(({ customer, dataset }) => `${customer}.${dataset}` === pairKey));
  assertTally(receipts.reduce(addTally, nothing), tallyOf(log.referenceFor(pairKey, 0).own), "unclaimed");
};

/** Reasons of receipts for ranges that nobody delivers. */
const lostReasons: ReadonlySet<string> = new Set(["skipped", "shed", "expired"]);

/**
 * After the end of a run in which parts of backlogs were skipped, shed or expired: every record was delivered, is a
 * dead letter, or is on a receipt, and first arrivals of what was not given up are in order. What was given up may have
 * arrived all the same, at any time, by an attempt that nobody knows of, or by an owner that does not know yet that it
 * is none; and the rest of such a batch once more, for it was cut anew.
 */
export const assertAccounted = ({ checkpoints, letters, log, store }: Told): void => {
  assert.deepStrictEqual(store.violations, []);
  for (const row of checkpoints.rows()) {
    const { own: chunks } = log.referenceFor(row.pairKey, row.start);
    const lines = linesOf(chunks);
    const arrived = store.of(row.job).flatMap(({ content }) => content.split(/(?<=\n)/));
    const own = [...checkpoints.receipts.values()].filter(({ job }) => job === row.job);
    const ranges = own.filter(({ reason }) => lostReasons.has(reason));
    const isLost = ({ sequence }: Own) =>
      ranges.some(({ firstSequence, lastSequence }) => sequence >= firstSequence && sequence <= lastSequence);
    const lost = new Set(linesOf(chunks.filter(isLost)));
    const wanted = new Set(arrived.filter((line) => !lost.has(line)));
    assert.deepStrictEqual(
      [...wanted],
      lines.filter((line) => wanted.has(line)),
      `${row.job}: first arrivals`,
    );
    const dead = (line: string) => letters.has(`${row.job} ${line}`);
    const missing = lines.filter((line) => !wanted.has(line) && !lost.has(line) && !dead(line));
    assert.deepStrictEqual(missing, [], `${row.job}: neither delivered nor on a receipt`);
    const { deadLettered, delivered, expired, pending, shed } = row.books;
    const all = { records: lines.length, bytes: lines.join("").length };
    assert.deepStrictEqual([delivered, deadLettered, expired, shed].reduce(addTally), all, `${row.job}: accounted for`);
    assert.deepStrictEqual(pending, nothing, `${row.job}: pending`);
    assert.isAtLeast(arrived.length, delivered.records, `${row.job}: delivered`);
    const stored = [...letters.keys()].filter((key) => key.startsWith(`${row.job} `)).length;
    assert.isAtLeast(stored, deadLettered.records, `${row.job}: dead letters`);
    const of = (...reasons: ReadonlyArray<string>) =>
      own.filter(({ reason }) => reasons.includes(reason)).reduce(addTally, nothing);
    assert.deepStrictEqual(of("skipped", "shed"), shed, `${row.job}: receipts of what was skipped or shed`);
    assert.deepStrictEqual(of("expired"), expired, `${row.job}: receipts of what expired`);
    assert.deepStrictEqual(of("deadLettered"), deadLettered, `${row.job}: receipts of dead letters`);
  }
};

/**
 * After the end of a run in which jobs were revised between or during crashes: an attempt that landed unnoticed may
 * have been cut anew, but nothing is missing, nothing is torn, and first arrivals are in order.
 */
export const assertAtLeastOnce = ({ checkpoints, log, store }: Told): void => {
  assert.deepStrictEqual(store.violations, []);
  for (const row of checkpoints.rows()) {
    const { own } = log.referenceFor(row.pairKey, row.start);
    const arrived = new Set(store.of(row.job).flatMap(({ content }) => content.split(/(?<=\n)/)));
    assert.deepStrictEqual([...arrived], linesOf(own), `${row.job}: first arrivals`);
    assert.deepStrictEqual(row.books.delivered, tallyOf(own), `${row.job}: delivered`);
    assert.deepStrictEqual(row.books.pending, nothing, `${row.job}: pending`);
  }
};
