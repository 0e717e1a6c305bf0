import { describe, it } from "@effect/vitest";
import { Result } from "effect";
import { createHash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { assert } from "vitest";
import {
  decodeBlob,
  decodeSegment,
  encodeBlob,
  encodeSegment,
  type SnapshotEntry,
} from "../../src/snapshot/segment.ts";
import { entry } from "./snapshot-fixture.ts";

const plain = (entries: ReadonlyArray<SnapshotEntry>) =>
  entries.map(({ data, ...each }) => ({ ...each, data: Buffer.from(data).toString() }));

const some = [entry("b", "ant"), entry("a", "bee", { state: "disabled" }), entry("c", "ant", { state: "removed" })];

describe("a segment", () => {
  it("holds its jobs by id, whatever order they came in, and equal ones have equal names", () => {
    const encoded = encodeSegment(some);
    const decoded = Result.getOrThrow(decodeSegment(encoded.stored, encoded));
    assert.deepStrictEqual(plain(decoded), plain([some[1]!, some[0]!, some[2]!]));
    assert.strictEqual(encodeSegment(some.toReversed()).hash, encoded.hash);
    assert.strictEqual(encoded.entries, 3);
    const none = encodeSegment([]);
    assert.deepStrictEqual(Result.getOrThrow(decodeSegment(none.stored, none)), []);
  });

  it("is refused when any byte of it is another one, and when it is cut off anywhere", () => {
    const encoded = encodeSegment(some);
    for (let at = 0; at < encoded.stored.length; at++) {
      const flipped = Buffer.from(encoded.stored);
      flipped[at]! ^= 0x40;
      const read = decodeSegment(flipped, encoded);
      // A flipped bit of the frame's own flags may leave the content as it was.
      if (Result.isSuccess(read)) assert.deepStrictEqual(plain(read.success), plain(some.toSorted(byId)));
      assert.isTrue(Result.isFailure(decodeSegment(encoded.stored.subarray(0, at), encoded)), `cut at ${at}`);
    }
  });

  it("is refused when it is larger than its mark says, at no cost of memory", () => {
    const bomb = Buffer.alloc(100_000_000);
    const stored = zstdCompressSync(bomb);
    const mark = { ...encodeSegment(some), hash: createHash("sha256").update(bomb).digest("hex") };
    const before = process.memoryUsage().external;
    const read = decodeSegment(stored, mark);
    assert.isTrue(Result.isFailure(read) && read.failure.rule === "tooLarge");
    assert.isBelow(process.memoryUsage().external - before, 10_000_000);
  });

  it("is refused with the right hash and a content that is none", () => {
    const encoded = encodeSegment(some);
    const layout = zstdDecompressSync(encoded.stored);
    const forged = (change: (layout: Buffer) => void) => {
      const copy = Buffer.from(layout);
      change(copy);
      return decodeBlobAsSegment(copy);
    };
    const cases: ReadonlyArray<readonly [(layout: Buffer) => void, RegExp]> = [
      [(copy) => copy.write("X", 0), /no segment/],
      [(copy) => (copy[4] = 9), /version 9/],
      [(copy) => copy.writeUInt32LE(2, 5), /holds 2 jobs/],
      [(copy) => (copy[9] = 7), /state of the job/],
      [(copy) => (copy[18] = 255), /ends within a job|out of range/],
    ];
    for (const [change, message] of cases) assert.match(forged(change), message);
    assert.match(decodeBlobAsSegment(Buffer.concat([layout, Buffer.from("x")])), /goes on after its last job/);
  });

  it("has a blob beside it for whatever else a manifest names", () => {
    const blob = encodeBlob(Buffer.from("[]"));
    assert.strictEqual(Result.getOrThrow(decodeBlob(blob.stored, blob)).toString(), "[]");
    assert.isTrue(Result.isFailure(decodeBlob(blob.stored, { ...blob, hash: "0".repeat(64) })));
  });
});

const byId = (a: SnapshotEntry, b: SnapshotEntry) => (a.id < b.id ? -1 : 1);

/** A layout under its own hash, as somebody would send it who knows how. */
const decodeBlobAsSegment = (layout: Buffer): string => {
  const hash = createHash("sha256").update(layout).digest("hex");
  const read = decodeSegment(zstdCompressSync(layout), { hash, bytes: layout.length, entries: 3 });
  return Result.isFailure(read) ? read.failure.message : "it decodes";
};
