import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { Packr } from "msgpackr";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { Chunk } from "../../src/actors/ports/log.ts";
import {
  ChunkUndecodable,
  compressMux,
  decode,
  type Decoded,
  frame,
  frameMux,
  framePlain,
} from "../../src/streams/chunk.ts";

const count = fc.integer({ min: 0, max: 2 ** 40 });
const writers = fc.record({
  incarnation: fc.stringMatching(/^[0-9a-f]{16}$/),
  number: count,
  absent: count,
  recordsBefore: count,
});
const pairKeys = fc.stringMatching(/^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}\.[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/);
/** Records of any characters, none at all included. */
const raws = fc
  .array(fc.string({ unit: "binary", maxLength: 200 }), { maxLength: 30 })
  .map((lines) => Buffer.from(lines.map((line) => `${line.replaceAll("\n", " ")}\n`).join("")));
const muxes = fc.uniqueArray(fc.record({ pairKey: pairKeys, raw: raws, records: count }), {
  maxLength: 20,
  selector: ({ pairKey }) => pairKey,
});

/** As the outbox does: what is asynchronous in it is the thread pool only. */
const muxPayload = async (
  writer: Decoded["writer"],
  jobSet: number,
  entries: ReadonlyArray<{ pairKey: string; raw: Buffer; records: number }>,
) =>
  frameMux(
    writer,
    jobSet,
    {
      pairs: entries.map(({ pairKey }) => ({ key: pairKey })),
      records: entries.map(({ records }) => records),
      bytes: entries.map(({ raw }) => raw.length),
    },
    await compressMux(Buffer.concat(entries.map(({ raw }) => raw))),
  );

const plainPayload = (
  writer: Decoded["writer"],
  jobSet: number,
  records: number,
  raw: Uint8Array,
  member: Uint8Array,
) => framePlain(writer, jobSet, { pairs: [{ key: "a.x" }], records: [records], bytes: [raw.length] }, member);

/** The chunk's own bytes. */
const contentOf = ({ data, from, to }: Chunk) => Buffer.from(data.subarray(from, to));

/** What `decode` makes of bytes that may be anything: a result, or the one error that it may throw. */
const decodeOrRefuse = (payload: Uint8Array, pairKey: string | undefined): Decoded | ChunkUndecodable => {
  try {
    return decode(payload, pairKey);
  } catch (error) {
    if (error instanceof ChunkUndecodable) return error;
    throw error;
  }
};

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

/** A decoded message may be wrong after damage, but it is well-formed: what reads it does not check again. */
const assertWellFormed = (decoded: Decoded | ChunkUndecodable) => {
  if (decoded instanceof ChunkUndecodable) return;
  assert.isString(decoded.writer.incarnation);
  for (const value of [decoded.writer.number, decoded.writer.absent, decoded.writer.recordsBefore, decoded.records]) {
    assert.isTrue(isCount(value), String(value));
  }
  for (const { bytes, data, encoding, from, pairKey, records, to } of decoded.chunks) {
    assert.isString(pairKey);
    assert.isTrue(isCount(records) && isCount(bytes));
    assert.isTrue(isCount(from) && from <= to && to <= data.length);
    if (encoding === "raw") assert.strictEqual(to - from, bytes);
  }
};

describe("framing", () => {
  it("gives back what a plain message was made of, its member untouched", () => {
    fc.assert(
      fc.property(writers, count, raws, count, pairKeys, (writer, jobSet, raw, records, pairKey) => {
        const member = gzipSync(raw);
        const decoded = decode(plainPayload(writer, jobSet, records, raw, member), pairKey);
        const data = Buffer.from(member);
        const chunks = [
          { pairKey, records, bytes: raw.length, encoding: "gzip" as const, data, from: 0, to: data.length },
        ];
        assert.deepStrictEqual(decoded, { writer, jobSet, records, chunks });
        assert.deepStrictEqual(gunzipSync(contentOf(decoded.chunks[0]!)), raw);
      }),
    );
  });

  it("gives back what a mux message was made of, pair by pair, in order", async () => {
    await fc.assert(
      fc.asyncProperty(writers, count, muxes, async (writer, jobSet, entries) => {
        const decoded = decode(await muxPayload(writer, jobSet, entries), undefined);
        assert.deepStrictEqual(decoded.writer, writer);
        assert.strictEqual(decoded.jobSet, jobSet);
        assert.strictEqual(
          decoded.records,
          entries.reduce((sum, { records }) => sum + records, 0),
        );
        assert.deepStrictEqual(
          decoded.chunks.map(({ bytes, encoding, pairKey, records, ...data }) => ({
            pairKey,
            records,
            bytes,
            encoding,
            raw: contentOf({ bytes, encoding, pairKey, records, ...data }),
          })),
          entries.map(({ pairKey, raw, records }) => ({
            pairKey,
            records,
            bytes: raw.length,
            encoding: "raw",
            raw,
          })),
        );
        // One buffer for all, and one chunk after the other in it.
        assert.isAtMost(new Set(decoded.chunks.map(({ data }) => data)).size, 1);
        assert.deepStrictEqual(
          decoded.chunks.map(({ from }) => from),
          decoded.chunks.map((_, i) => decoded.chunks[i - 1]?.to ?? 0),
        );
        assert.strictEqual(decoded.chunks.at(-1)?.to, decoded.chunks.at(-1)?.data.length);
      }),
    );
  });

  it("compresses a large mux body in the thread pool to the same effect", async () => {
    const raw = Buffer.from("ab\n".repeat(100_000));
    const entry = { pairKey: "a.b", raw, records: 100_000 };
    const writer = { incarnation: "i", number: 1, absent: 0, recordsBefore: 0 };
    assert.deepStrictEqual(contentOf(decode(await muxPayload(writer, 1, [entry]), undefined).chunks[0]!), raw);
  });

  it("concatenates: the members of several chunks inflate to the concatenation of their records", () => {
    fc.assert(
      fc.property(fc.array(raws, { minLength: 1, maxLength: 8 }), (bodies) => {
        const members = bodies.map((raw) => gzipSync(raw, { level: 1 }));
        assert.deepStrictEqual(gunzipSync(Buffer.concat(members)), Buffer.concat(bodies));
      }),
    );
  });
});

describe("damage", () => {
  const writer = { incarnation: "0123456789abcdef", number: 7, absent: 0, recordsBefore: 42 };
  const entries = ["a.x", "b.x", "c.y"].map((pairKey, i) => ({
    pairKey,
    raw: Buffer.from(`${pairKey}\n`.repeat(i + 1)),
    records: i + 1,
  }));
  const plain = plainPayload(writer, 1, 1, Buffer.from("ab\n"), gzipSync("ab\n"));
  const packr = new Packr({ useRecords: false });

  it("refuses every proper prefix of a mux message and every prefix of a plain header", async () => {
    const mux = await muxPayload(writer, 1, entries);
    for (let length = 0; length < mux.length; length++) {
      assert.instanceOf(decodeOrRefuse(mux.subarray(0, length), undefined), ChunkUndecodable);
    }
    const headerEnd = 6 + plain.readUInt32LE(2);
    for (let length = 0; length < headerEnd; length++) {
      assert.instanceOf(decodeOrRefuse(plain.subarray(0, length), "a.x"), ChunkUndecodable);
    }
  });

  it("never throws anything else, and never gives out a malformed message, whatever byte is changed", async () => {
    const mux = await muxPayload(writer, 1, entries);
    for (const [payload, pairKey] of [
      [plain, "a.x"],
      [mux, undefined],
    ] as const) {
      for (let at = 0; at < payload.length; at++) {
        for (const flip of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
          const damaged = Buffer.from(payload);
          damaged[at]! ^= flip;
          assertWellFormed(decodeOrRefuse(damaged, pairKey));
        }
      }
    }
  });

  it("never throws anything else for arbitrary bytes behind a valid prefix", () => {
    const kinds = fc.constantFrom("plain" as const, "mux" as const);
    fc.assert(
      fc.property(kinds, fc.anything({ maxDepth: 2 }), fc.uint8Array({ maxLength: 64 }), (kind, header, body) => {
        const packed = frame(kind, [], body);
        assertWellFormed(decodeOrRefuse(packed, kind === "mux" ? undefined : "a.x"));
        try {
          packr.pack(header);
        } catch {
          return;
        }
        assertWellFormed(decodeOrRefuse(frame(kind, header as never, body), kind === "mux" ? undefined : "a.x"));
      }),
    );
  });

  it("refuses headers of the right length with wrong contents", () => {
    const good = ["i", 1, 0, 0, 1, 2, 4, "a.x b.x", [1, 1], [2, 2]];
    const body = zstdCompressSync(Buffer.from("a\nb\n"));
    assert.strictEqual(decode(frame("mux", good, body), undefined).chunks.length, 2);
    const wrong: ReadonlyArray<[at: number, value: unknown]> = [
      [0, 1],
      [1, "1"],
      [1, -1],
      [1, 1.5],
      [2, null],
      [3, 2n ** 60n],
      [5, undefined],
      [6, "4"],
      [6, -4],
      [7, undefined],
      [7, null],
      [7, 2],
      [7, ""],
      [7, "a.x"],
      [7, "a.x b.x c.x"],
      [7, ["a.x", "b.x"]],
      [8, undefined],
      [8, [1]],
      [8, [1, -1]],
      [8, [1, "1"]],
      [9, [2]],
      [9, [2, 3]],
      [9, [4, -0.5]],
      [9, [3, 2]],
      [9, null],
    ];
    for (const [at, value] of wrong) {
      const header = good.with(at, value as never);
      assert.instanceOf(
        decodeOrRefuse(frame("mux", header, body), undefined),
        ChunkUndecodable,
        `${at}: ${String(value)}`,
      );
    }
    assert.instanceOf(decodeOrRefuse(frame("mux", good.slice(0, 7), body), undefined), ChunkUndecodable);
  });

  it("does not allocate what a header promises", () => {
    const before = process.memoryUsage();
    for (const bytes of [2 ** 28, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const { arrayBuffers } = process.memoryUsage();
      const header = ["i", 1, 0, 0, 1, 1, bytes, "a.x", [1], [bytes]];
      assert.instanceOf(decodeOrRefuse(frame("mux", header, zstdCompressSync("a\n")), undefined), ChunkUndecodable);
      assert.isBelow(process.memoryUsage().arrayBuffers - arrayBuffers, 16_777_216, `a header says ${bytes}`);
    }
    // An array of 2^32 − 1 elements, announced in five bytes.
    const announced = Buffer.concat([
      frame("mux", [], Buffer.alloc(0)).subarray(0, 2),
      Buffer.from([5, 0, 0, 0, 0xdd, 0xff, 0xff, 0xff, 0xff]),
    ]);
    assert.instanceOf(decodeOrRefuse(announced, undefined), ChunkUndecodable);
    // A bomb: 256 MB of zeros in 8 KB, in a header that says two bytes.
    const bomb = zstdCompressSync(Buffer.alloc(268_435_456));
    const grown = process.memoryUsage();
    const header = ["i", 1, 0, 0, 1, 1, 2, "a.x", [1], [2]];
    assert.instanceOf(decodeOrRefuse(frame("mux", header, bomb), undefined), ChunkUndecodable);
    const after = process.memoryUsage();
    assert.isBelow(after.arrayBuffers - grown.arrayBuffers, 16_777_216);
    // What the four headers above may each have taken, and the bomb itself before it was compressed.
    assert.isBelow(grown.arrayBuffers - before.arrayBuffers, 4 * 16_777_216 + 268_435_456);
  });

  it("refuses what does not fit its subject", async () => {
    const mux = await muxPayload(writer, 1, entries);
    assert.instanceOf(decodeOrRefuse(plain, undefined), ChunkUndecodable);
    assert.instanceOf(decodeOrRefuse(mux, "a.x"), ChunkUndecodable);
    const later = Buffer.from(plain);
    later[0] = 2;
    const refused = decodeOrRefuse(later, "a.x");
    assert.match((refused as ChunkUndecodable).reason, /version 2, this node reads 1/);
  });
});
