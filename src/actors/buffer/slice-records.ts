import { Effect } from "effect";
import { createGzip, gunzipSync, gzipSync } from "node:zlib";

/** Some consecutive records of a batch, ready to be sent. */
export interface SlicedRecords {
  /** One gzip member of newline-terminated records. */
  readonly body: Buffer;
  readonly records: number;
  /** Uncompressed. */
  readonly bytes: number;
}

const newline = 10;
const level = 1;

/**
 * Records `[from, to)` of a batch, 0-based; what lies beyond the last one is left out. A large batch (it may have 100
 * MB) is taken member by member: others get their turn in between, compression runs in the thread pool, and what is
 * held is the compressed slice and one member.
 *
 * @param body gzip members of newline-terminated records
 */
export const sliceRecords = (body: ReadonlyArray<Uint8Array>, from: number, to: number): Effect.Effect<SlicedRecords> =>
  body.reduce((sum, { length }) => sum + length, 0) <= smallBytes
    ? Effect.sync(() => sliceAtOnce(body, from, to))
    : sliceInSteps(body, from, to);

/** Compressed; inflating and compressing so much again takes a few milliseconds. */
const smallBytes = 262_144;

const sliceAtOnce = (body: ReadonlyArray<Uint8Array>, from: number, to: number): SlicedRecords => {
  const tally = { records: 0, bytes: 0 };
  const raw = Buffer.concat([...pieces(body, from, to, tally)]);
  return { body: gzipSync(raw, { level, chunkSize: Math.max(1_024, raw.length >> 2) }), ...tally };
};

const sliceInSteps = (body: ReadonlyArray<Uint8Array>, from: number, to: number): Effect.Effect<SlicedRecords> =>
  Effect.gen(function* () {
    const tally = { records: 0, bytes: 0 };
    const gzip = createGzip({ level });
    const compressed: Array<Buffer> = [];
    gzip.on("data", (part: Buffer) => compressed.push(part));
    yield* Effect.addFinalizer(() => Effect.sync(() => gzip.destroy()));
    for (const piece of pieces(body, from, to, tally)) {
      // Empty where a member was only counted: that takes time as well.
      yield* piece.length === 0 ? Effect.yieldNow : written((done) => gzip.write(piece, done));
    }
    yield* written((done) => gzip.once("end", done).end());
    return { body: Buffer.concat(compressed), ...tally };
  }).pipe(Effect.scoped);

/** A compressor that fails on bytes is a bug: a defect. */
const written = (run: (done: (error?: Error | null) => void) => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    run((error) => resume(error === undefined || error === null ? Effect.void : Effect.die(error)));
  });

/** The part of each member that lies in `[from, to)`, empty for those before it. Counts what it gives. */
function* pieces(
  body: ReadonlyArray<Uint8Array>,
  from: number,
  to: number,
  tally: { records: number; bytes: number },
): Generator<Buffer> {
  let index = 0;
  for (const member of body) {
    if (index >= to) return;
    const raw = gunzipSync(member);
    const skipped = afterRecords(raw, 0, from - index);
    const kept = afterRecords(raw, skipped.at, to - index - skipped.records);
    index += skipped.records + kept.records;
    tally.records += kept.records;
    tally.bytes += kept.at - skipped.at;
    yield raw.subarray(skipped.at, kept.at);
  }
}

/** Where `records` records after `at` end, and how many there were. */
const afterRecords = (raw: Buffer, at: number, records: number): { readonly at: number; readonly records: number } => {
  let end = at;
  let found = 0;
  while (found < records && end < raw.length) {
    const next = raw.indexOf(newline, end);
    end = next === -1 ? raw.length : next + 1;
    found += 1;
  }
  return { at: end, records: found };
};

/** Record `index` of newline-terminated records, without its newline; undefined when there are not so many. */
export const recordAt = (raw: Buffer, index: number): Buffer | undefined => {
  const skipped = afterRecords(raw, 0, index);
  if (skipped.records < index || skipped.at >= raw.length) return undefined;
  const end = raw.indexOf(newline, skipped.at);
  return raw.subarray(skipped.at, end === -1 ? raw.length : end);
};
