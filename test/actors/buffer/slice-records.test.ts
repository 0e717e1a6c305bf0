import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import { recordAt, sliceRecords as slicing, type SlicedRecords } from "../../../src/actors/buffer/slice-records.ts";

/** Lines without a newline in them, some of several bytes a character, some empty, grouped into members. */
const membersOfLines = fc.array(
  fc.array(fc.string({ unit: "grapheme", maxLength: 40 }).map(oneLine), { maxLength: 8 }),
  {
    maxLength: 6,
  },
);

function oneLine(text: string): string {
  return text.replaceAll("\n", "?");
}

const textOf = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("");
const bodyOf = (members: ReadonlyArray<ReadonlyArray<string>>) => members.map((lines) => gzipSync(textOf(lines)));

const sliceRecords = (body: ReadonlyArray<Uint8Array>, from: number, to: number): Promise<SlicedRecords> =>
  Effect.runPromise(slicing(body, from, to));

const bounds = fc.tuple(fc.nat(50), fc.nat(50));

describe("slicing records", () => {
  it("gives what splitting the whole text gives", async () => {
    await fc.assert(
      fc.asyncProperty(membersOfLines, bounds, async (members, [from, to]) => {
        const expected = members.flat().slice(from, Math.max(from, to));
        const { body, bytes, records } = await sliceRecords(bodyOf(members), from, to);
        const text = gunzipSync(body).toString("utf8");
        assert.strictEqual(text, textOf(expected));
        assert.strictEqual(records, expected.length);
        assert.strictEqual(bytes, Buffer.byteLength(text));
        // One member: a second one would begin with the magic number where the first one's trailer ends.
        assert.strictEqual(body.readUInt32LE(body.length - 4), bytes);
      }),
      { numRuns: 300 },
    );
  });

  it("parts at any place make up the whole again", async () => {
    await fc.assert(
      fc.asyncProperty(membersOfLines, fc.nat(50), async (members, at) => {
        const all = members.flat();
        const parts = [await sliceRecords(bodyOf(members), 0, at), await sliceRecords(bodyOf(members), at, all.length)];
        assert.strictEqual(
          parts.reduce((sum, { records }) => sum + records, 0),
          all.length,
        );
        assert.strictEqual(parts.map(({ body }) => gunzipSync(body).toString()).join(""), textOf(all));
      }),
    );
  });

  it("takes a member that itself is several, and a last record without its newline", async () => {
    const member = Buffer.concat([gzipSync("a\nb\n"), gzipSync("c\nd")]);
    assert.strictEqual(gunzipSync((await sliceRecords([member], 1, 9)).body).toString(), "b\nc\nd");
    assert.strictEqual((await sliceRecords([member], 1, 9)).records, 3);
  });

  it("takes a large batch in steps, with the same result", async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `${i} ${Math.imul(i + 1, 2_654_435_761) >>> 0} `.repeat(2));
    const members = Array.from({ length: 40 }, (_, i) => lines.slice(i * 1_000, (i + 1) * 1_000));
    const body = bodyOf(members);
    assert.isAbove(Buffer.concat(body).length, 300_000);
    const { body: sliced, records } = await sliceRecords(body, 12_345, 31_000);
    assert.strictEqual(records, 31_000 - 12_345);
    assert.strictEqual(gunzipSync(sliced).toString(), textOf(lines.slice(12_345, 31_000)));
  });

  it("finds a record by its index", () => {
    const raw = Buffer.from("zero\n\ntwo\n");
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4].map((index) => recordAt(raw, index)?.toString()),
      ["zero", "", "two", undefined, undefined],
    );
  });
});
