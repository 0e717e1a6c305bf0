import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import { BatchParts, type ClosedBatch, Window, type WindowBounds } from "../../../src/actors/buffer/window.ts";
import type { Chunk } from "../../../src/actors/ports/log.ts";
import { batchesOf, type ReferenceBatch } from "../../simulation/reference-batches.ts";

interface Recorded {
  readonly sequence: number;
  readonly millis: number;
  /** Ours; undefined for a tick and for messages of other customers. */
  readonly chunk: Chunk | undefined;
  readonly raw: Uint8Array;
}

interface Case {
  readonly log: ReadonlyArray<Recorded>;
  readonly limits: { readonly maxBytes: number; readonly maxRecords: number; readonly maxIntervalSeconds: number };
  readonly cuts: ReadonlyArray<number>;
}

const roomy: WindowBounds = { bytesMax: Number.MAX_SAFE_INTEGER, closedBatchesMax: Number.MAX_SAFE_INTEGER };

const strangers = Buffer.from("another's\n");

const lines = (sequence: number, records: number, bytes: number): Buffer => {
  const line = `${sequence} `.padEnd(Math.max(4, bytes), "x");
  return Buffer.from(`${line}\n`.repeat(records));
};

/** In the midst of other chunks' bytes, as in a mux message. */
const chunkOf = (raw: Uint8Array, records: number, encoding: Chunk["encoding"]): Chunk => {
  const stored = encoding === "raw" ? raw : gzipSync(raw, { level: 1 });
  const data = Buffer.concat([strangers, stored, strangers]);
  const [from, to] = [strangers.length, strangers.length + stored.length];
  return { pairKey: "a.x", records, bytes: raw.length, encoding, data, from, to };
};

/** A log as JetStream could hold it: times go on, or stand still, or jump far; now and then the clock is set back. */
const recordedLog = fc
  .array(
    fc.record({
      waitMillis: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 4, arbitrary: fc.nat(400) },
        { weight: 4, arbitrary: fc.integer({ min: 900, max: 6_000 }) },
        { weight: 1, arbitrary: fc.constantFrom(-3_600_000, -5_000, -200, -1) },
      ),
      own: fc.option(
        fc.record({
          records: fc.integer({ min: 1, max: 6 }),
          bytes: fc.integer({ min: 4, max: 60 }),
          encoding: fc.constantFrom<Chunk["encoding"]>("raw", "gzip"),
        }),
        { freq: 3 },
      ),
    }),
    { maxLength: 60 },
  )
  .map((entries) => {
    let millis = 1_000_000_000;
    return entries.map(({ own, waitMillis }, i): Recorded => {
      const sequence = i + 1;
      millis += waitMillis;
      const raw = own === null ? new Uint8Array() : lines(sequence, own.records, own.bytes);
      return { sequence, millis, chunk: own === null ? undefined : chunkOf(raw, own.records, own.encoding), raw };
    });
  });

const cases: fc.Arbitrary<Case> = fc
  .record({
    log: recordedLog,
    limits: fc.record({
      maxBytes: fc.constantFrom(60, 300, 1_000_000),
      maxRecords: fc.constantFrom(5, 20, 1_000_000),
      maxIntervalSeconds: fc.constantFrom(1, 3, 10),
    }),
    cutShare: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 3 }),
  })
  .map(({ cutShare, limits, log }) => {
    const own = log.filter(({ chunk }) => chunk !== undefined);
    const cuts = cutShare.flatMap((share) => own[Math.floor(share * own.length)]?.sequence ?? []);
    return { log, limits, cuts: [...new Set(cuts)].toSorted((a, b) => a - b) };
  });

const reference = ({ cuts, limits, log }: Case): ReadonlyArray<ReferenceBatch> =>
  batchesOf(
    {
      messages: log,
      own: log.flatMap(({ chunk, millis, raw, sequence }) =>
        chunk === undefined ? [] : [{ sequence, millis, records: chunk.records, bytes: chunk.bytes, raw }],
      ),
    },
    limits,
    cuts,
  );

const told = (batches: ReadonlyArray<ReferenceBatch>) =>
  batches.map(({ bytes, closedBy, first, last, parts, records }) => ({
    ref: { first, last, records, bytes, closedBy },
    content: Buffer.concat(parts).toString(),
  }));

const seen = ({ parts, ref }: ClosedBatch) => ({
  ref: { first: ref.first, last: ref.last, records: ref.records, bytes: ref.bytes, closedBy: ref.closedBy },
  content: gunzipSync(Buffer.concat(parts.encode().body)).toString(),
});

/** Settles what is complete. */
const settle = (window: Window, batches: Array<ClosedBatch>): void => {
  for (let head = window.settleHead(); head !== undefined; head = window.settleHead()) batches.push(head);
};

const offer = (window: Window, { chunk, millis, sequence }: Recorded): boolean => {
  window.advance(millis);
  if (chunk === undefined) return true;
  if (!window.hasRoom()) return false;
  window.append(sequence, millis, chunk);
  return true;
};

describe("window: batches are a function of log and row (I11)", () => {
  it("cuts a log fed at once as the rules say", () => {
    fc.assert(
      fc.property(cases, (recorded) => {
        const window = new Window(recorded.limits, roomy, recorded.cuts);
        const batches: Array<ClosedBatch> = [];
        for (const message of recorded.log) assert.isTrue(offer(window, message));
        settle(window, batches);
        assert.deepStrictEqual(batches.map(seen), told(reference(recorded)));
        assert.strictEqual(window.bytes() === 0, window.isEmpty());
      }),
      { numRuns: 400 },
    );
  });

  it("cuts it the same whenever batches are settled, and however often the window is full and fed again", () => {
    const bounds = fc.record({
      bytesMax: fc.constantFrom(100, 5_000),
      closedBatchesMax: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(cases, bounds, fc.infiniteStream(fc.boolean()), (recorded, bound, settleNow) => {
        const window = new Window(recorded.limits, bound, recorded.cuts);
        const batches: Array<ClosedBatch> = [];
        // Where feeding goes on: a chunk without room is offered again, messages after it wait.
        for (let at = 0; at < recorded.log.length;) {
          if (offer(window, recorded.log[at]!)) at += 1;
          else batches.push(window.settleHead()!);
          if (settleNow.next().value) batches.push(...[window.settleHead()].filter((head) => head !== undefined));
        }
        settle(window, batches);
        assert.deepStrictEqual(batches.map(seen), told(reference(recorded)));
      }),
      { numRuns: 400 },
    );
  });

  it("cuts it the same after restarts at any message: from the row's cursor, read again", () => {
    fc.assert(
      fc.property(cases, fc.array(fc.nat(60), { maxLength: 5 }), (recorded, crashes) => {
        const batches: Array<ClosedBatch> = [];
        const cursor = () => batches.at(-1)?.ref.last ?? 0;
        const restart = () =>
          new Window(
            recorded.limits,
            roomy,
            recorded.cuts.filter((cut) => cut > cursor()),
          );
        for (const crashAt of [...crashes, recorded.log.length]) {
          const window = restart();
          for (const message of recorded.log.slice(cursor(), Math.max(cursor(), crashAt))) offer(window, message);
          // Some of what is complete is settled before the crash; the rest is forgotten.
          const complete: Array<ClosedBatch> = [];
          settle(window, complete);
          batches.push(...(crashAt === recorded.log.length ? complete : complete.slice(0, crashAt % 3)));
        }
        assert.deepStrictEqual(batches.map(seen), told(reference(recorded)));
      }),
      { numRuns: 400 },
    );
  });

  it("cuts it the same when the window is given up, with or without the batch that is being pushed", () => {
    fc.assert(
      fc.property(cases, fc.array(fc.tuple(fc.nat(60), fc.boolean()), { maxLength: 4 }), (recorded, drops) => {
        const window = new Window(recorded.limits, roomy, recorded.cuts);
        const batches: Array<ClosedBatch> = [];
        let fed = 0;
        for (const [at, keepHead] of [...drops.toSorted(([a], [b]) => a - b), [recorded.log.length, true] as const]) {
          for (const message of recorded.log.slice(fed, Math.max(fed, at))) offer(window, message);
          fed = Math.max(fed, at);
          if (fed >= recorded.log.length) break;
          fed = window.drop(keepHead) ?? batches.at(-1)?.ref.last ?? 0;
          const head = window.settleHead();
          if (head !== undefined) batches.push(head);
        }
        for (const message of recorded.log.slice(fed)) offer(window, message);
        settle(window, batches);
        assert.deepStrictEqual(batches.map(seen), told(reference(recorded)));
      }),
      { numRuns: 400 },
    );
  });

  it("ends an open batch at a cut only where the cut was planned", () => {
    const window = new Window({ maxBytes: 1_000, maxRecords: 100, maxIntervalSeconds: 10 }, roomy, []);
    window.append(4, 0, chunkOf(lines(4, 1, 10), 1, "raw"));
    assert.strictEqual(window.cuttable(), 4);
    window.append(6, 0, chunkOf(lines(6, 1, 10), 1, "raw"));
    assert.isFalse(window.cut(4));
    assert.isTrue(window.cut(6));
    assert.deepInclude(window.head()!.ref, { first: 4, last: 6, closedBy: "cut" });
  });
});

const manyChunks = fc.array(
  fc.record({
    bytes: fc.oneof(fc.integer({ min: 4, max: 80 }), fc.integer({ min: 20_000, max: 90_000 })),
    records: fc.integer({ min: 1, max: 5 }),
    encoding: fc.constantFrom<Chunk["encoding"]>("raw", "gzip"),
  }),
  { minLength: 1, maxLength: 20 },
);

describe("batch parts", () => {
  it("inflates to the stored records in order, however members and raw runs alternate", () => {
    fc.assert(
      fc.property(manyChunks, (sizes) => {
        const raws = sizes.map(({ bytes, records }, i) => lines(i, records, bytes));
        const chunks = sizes.map(({ encoding, records }, i) => chunkOf(raws[i]!, records, encoding));
        const parts = new BatchParts(7, 1_000);
        for (const [i, chunk] of chunks.entries()) parts.add(7 + 2 * i, 1_000 + 3 * i, chunk);
        const encoded = parts.encode();
        const content = Buffer.concat(raws);
        const last = sizes.length - 1;
        assert.deepStrictEqual(parts.ref("size"), {
          first: 7,
          last: 7 + 2 * last,
          records: chunks.reduce((sum, { records }) => sum + records, 0),
          bytes: content.length,
          startMillis: 1_000,
          endMillis: 1_000 + 3 * last,
          closedBy: "size",
        });
        const body = Buffer.concat(encoded.body);
        assert.isTrue(gunzipSync(body).equals(content));
        assert.strictEqual(encoded.bodyBytes, body.length);
        assert.strictEqual(encoded.bytes, content.length);
        assert.strictEqual(
          encoded.records,
          sizes.reduce((sum, { records }) => sum + records, 0),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("encodes once: every attempt sends the same bytes", () => {
    const parts = new BatchParts(1, 0);
    for (const encoding of ["raw", "gzip", "raw", "raw"] as const) {
      parts.add(1, 0, chunkOf(lines(1, 3, 50), 3, encoding));
    }
    const first = parts.encode();
    const held = parts.heldBytes;
    const again = parts.encode();
    assert.deepStrictEqual(again, first);
    assert.strictEqual(first.body.length, 3);
    assert.strictEqual(parts.heldBytes, held);
    assert.strictEqual(held, first.bodyBytes);
  });

  it("keeps its records when the memory of others is used again", () => {
    const some = new BatchParts(1, 0);
    const others = new BatchParts(1, 0);
    for (let i = 0; i < 50; i++) {
      some.add(i, 0, chunkOf(lines(1_000 + i, 2, 300), 2, "raw"));
      others.add(i, 0, chunkOf(lines(2_000 + i, 2, 300), 2, "raw"));
      if (i % 7 === 0) others.encode();
    }
    const text = gunzipSync(Buffer.concat(some.encode().body)).toString();
    assert.deepStrictEqual(
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.slice(0, 4)),
      Array.from({ length: 100 }, (_, i) => String(1_000 + (i >> 1))),
    );
  });

  it("keeps no view of the message that a raw chunk came in", () => {
    const chunk = chunkOf(lines(1, 1, 20), 1, "raw");
    const parts = new BatchParts(1, 0);
    parts.add(1, 0, chunk);
    const text = lines(1, 1, 20).toString();
    chunk.data.fill(0);
    assert.strictEqual(gunzipSync(Buffer.concat(parts.encode().body)).toString(), text);
  });
});

describe("window: memory", () => {
  it("counts what it holds, and nothing when everything is settled", () => {
    const window = new Window({ maxBytes: 100, maxRecords: 100, maxIntervalSeconds: 10 }, roomy, []);
    for (let sequence = 1; sequence <= 50; sequence++) {
      window.append(sequence, 0, chunkOf(lines(sequence, 1, 120), 1, "raw"));
      assert.isAbove(window.bytes(), 0);
      window.head()!.parts.encode();
      window.settleHead();
      assert.strictEqual(window.bytes(), 0);
    }
  });

  it("takes an open batch to its own limit whatever the bound, and no further batch", () => {
    const bounds = { bytesMax: 1, closedBatchesMax: 8 };
    const window = new Window({ maxBytes: 300, maxRecords: 100, maxIntervalSeconds: 10 }, bounds, []);
    let sequence = 1;
    for (; window.hasRoom(); sequence++) window.append(sequence, 0, chunkOf(lines(sequence, 1, 99), 1, "gzip"));
    assert.strictEqual(sequence, 4);
    assert.strictEqual(window.head()?.ref.bytes, 300);
  });
});
