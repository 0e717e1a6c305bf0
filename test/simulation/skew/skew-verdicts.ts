import { assert } from "vitest";
import type { Owner } from "../../../src/actors/owner.ts";
import { accountsOf } from "../../../src/actors/residency/accounts.ts";
import { addTally, type Tally, unexplained } from "../../../src/domain/books.ts";
import { pairKey } from "../../../src/domain/partition.ts";
import type { Own } from "../reference-batches.ts";
import { customerOf, customers, jobIds } from "./job-ledger.ts";
import type { SkewWorld } from "./skew-world.ts";

const nothing: Tally = { records: 0, bytes: 0 };
const pairOf = (job: string) => pairKey(customerOf(job), "http_requests");

/** I5, at any moment. */
export const assertExplained = (owner: Owner["Service"]): void => {
  for (const { state } of owner.owned().values()) {
    for (const { books, job } of accountsOf(state)) {
      const { bytes, records } = unexplained(books);
      if (records !== 0 || bytes !== 0) assert.fail(`${job}: ${records} records, ${bytes} bytes are unexplained`);
      if (books.pending.records < 0) assert.fail(`${job}: more was settled than accepted`);
    }
  }
};

/** What has become of a job's pair's chunks, as far as that job goes. */
interface Fate {
  readonly job: string;
  /** By sequence. */
  readonly delivered: ReadonlySet<number>;
  /** On receipts of the job, or pending in its row. */
  readonly held: ReadonlySet<number>;
  /** In the books of one of its lives, or, where an owner did not know it for a while, maybe. */
  readonly isBooked: (sequence: number) => boolean;
}

/**
 * After the end: every acknowledged record was delivered, is pending, or is on exactly one receipt; and what was
 * accepted for a job that has been in force since, or in its grace, was delivered to it.
 */
export const assertNothingLost = (world: SkewWorld): void => {
  assert.deepStrictEqual(world.store.violations, []);
  const fates = jobIds.map((job) => fateOf(world, job));
  assertDueIsDelivered(world, fates);
  for (const customer of customers) {
    const key = pairKey(customer, "http_requests");
    assertUnclaimedIsExact(
      world,
      key,
      fates.filter(({ job }) => pairOf(job) === key),
    );
  }
};

const chunksOf = ({ log }: SkewWorld, key: string): ReadonlyArray<Own> => log.referenceFor(key, 0).own;

const fateOf = (world: SkewWorld, job: string): Fate => {
  const chunks = chunksOf(world, pairOf(job));
  const arrived = new Set(world.store.of(job).flatMap(({ content }) => content.split(/(?<=\n)/)));
  const isDelivered = ({ raw }: Own) => {
    const lines = Buffer.from(raw)
      .toString()
      .split(/(?<=\n)/);
    const found = lines.filter((line) => arrived.has(line)).length;
    assert.include([0, lines.length], found, `${job}: a chunk arrived in part`);
    return found > 0;
  };
  const delivered = new Set(chunks.filter(isDelivered).map(({ sequence }) => sequence));
  const held = new Set<number>();
  const hold = (from: number, to: number, records: number, what: string) => {
    const within = chunks.filter(({ sequence }) => sequence >= from && sequence <= to);
    for (const { sequence } of within) held.add(sequence);
    assert.strictEqual(within.reduce(addTally, nothing).records, records, `${job}: ${what} of ${from} to ${to}`);
  };
  for (const { firstSequence, job: of, lastSequence, reason, records } of world.checkpoints.receipts.values())
    if (of === job) hold(firstSequence, lastSequence, records, `receipt, ${reason},`);
  const rows = livesOf(world, job);
  for (const { books, counted, cursor, start } of rows) {
    assert.deepStrictEqual(unexplained(books), nothing, `${job}: unexplained`);
    if (books.pending.records > 0) hold(cursor + 1, counted, books.pending.records, "pending");
    const most = chunks.filter(({ sequence }) => sequence > start && sequence <= counted).reduce(addTally, nothing);
    assert.isAtMost(books.accepted.records, most.records, `${job}: accepted`);
  }
  const sum = rows.map(({ books }) => books.delivered).reduce(addTally, nothing);
  assert.isAtMost(sum.records, arrived.size, `${job}: delivered, it says`);
  const isWhole = ({ books, counted, start }: (typeof rows)[number]) =>
    books.accepted.records ===
    chunks.filter(({ sequence }) => sequence > start && sequence <= counted).reduce(addTally, nothing).records;
  return {
    job,
    delivered,
    held,
    isBooked: (at) => rows.some((row) => at > row.start && at <= row.counted && isWhole(row)),
  };
};

/** The rows of a job: the last one of each time that it was removed, and the one that it has. */
const livesOf = ({ checkpoints }: SkewWorld, job: string) => [
  ...[...checkpoints.closed.values()].filter((row) => row.job === job),
  ...checkpoints.rows().filter((row) => row.job === job && !row.deleted),
];

/** Who was in the forwarder's set, and in every set since that may say something of it, gets the record. */
const assertDueIsDelivered = (world: SkewWorld, fates: ReadonlyArray<Fate>): void => {
  const enabled = world.ledger.newest().entries;
  for (const { delivered, held, job } of fates) {
    const isEnabled = enabled.get(job)?.state === "enabled";
    const missed = world.acknowledged.filter(
      ({ jobs, number, sequence }) =>
        jobs.includes(job) &&
        number > world.absences.to(job) &&
        !delivered.has(sequence) &&
        (isEnabled || !held.has(sequence)),
    );
    const told = missed.map(({ number, sequence }) => `${sequence} of set ${number}`);
    assert.deepStrictEqual(
      told,
      [],
      `${job}: accepted for it, and not delivered (absent to ${world.absences.to(job)})`,
    );
  }
};

/** Receipts of what there is no job for: for each record that is in nobody's books one, and for no other. */
const assertUnclaimedIsExact = (world: SkewWorld, key: string, fates: ReadonlyArray<Fate>): void => {
  const receipts = [...world.checkpoints.receipts.values()].filter(
    ({ customer, dataset, reason }) => reason === "unclaimed" && `${customer}.${dataset}` === key,
  );
  const actual = receipts.reduce(addTally, nothing).records;
  const chunks = chunksOf(world, key);
  const isAccounted = ({ sequence }: Own) =>
    fates.some(({ delivered, held }) => delivered.has(sequence) || held.has(sequence));
  // Arrived by an attempt that nobody knows of, of an owner whose job was gone when the next one came.
  const isUnknown = ({ sequence }: Own) =>
    fates.every(({ held, isBooked }) => !held.has(sequence) && !isBooked(sequence));
  const least = chunks.filter((own) => !isAccounted(own)).reduce(addTally, nothing).records;
  const most = least + chunks.filter((own) => isAccounted(own) && isUnknown(own)).reduce(addTally, nothing).records;
  const told = `${key}: on receipts without a job, of ${chunks.map(({ sequence }) => sequence).join(" ")}`;
  assert.isAtLeast(
    actual,
    least,
    `${told}: lost ${chunks
      .filter((own) => !isAccounted(own))
      .map(({ sequence }) => sequence)
      .join(" ")}`,
  );
  assert.isAtMost(actual, most, told);
  world.unclaimed += actual;
};
