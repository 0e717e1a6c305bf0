import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import { recordAt, sliceRecords, sliceRecordsInSteps } from "../../../src/actors/buffer/slice-records.ts";

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

const bounds = fc.tuple(fc.nat(50), fc.nat(50));

describe("slicing records", () => {
  it("gives what splitting the whole text gives", () => {
    fc.assert(
      fc.property(membersOfLines, bounds, (members, [from, to]) => {
        const expected = members.flat().slice(from, Math.max(from, to));
        const { body, bytes, records } = sliceRecords(bodyOf(members), from, to);
        const text = gunzipSync(body).toString("utf8");
        assert.strictEqual(text, textOf(expected));
        assert.strictEqual(records, expected.length);
        assert.strictEqual(bytes, Buffer.byteLength(text));
        // One member: a second one would begin with the magic number where the first one's trailer ends.
        assert.strictEqual(body.readUInt32LE(body.length - 4), bytes);
      }),
      { numRuns: 500 },
    );
  });

  it.effect("gives the same member by member", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(membersOfLines, bounds, async (members, [from, to]) => {
          const whole = sliceRecords(bodyOf(members), from, to);
          const stepped = await Effect.runPromise(sliceRecordsInSteps(bodyOf(members), from, to));
          assert.strictEqual(gunzipSync(stepped.body).toString(), gunzipSync(whole.body).toString());
          assert.deepStrictEqual([stepped.records, stepped.bytes], [whole.records, whole.bytes]);
        }),
        { numRuns: 100 },
      ),
    ),
  );

  it("parts at any place make up the whole again", () => {
    fc.assert(
      fc.property(membersOfLines, fc.nat(50), (members, at) => {
        const all = members.flat();
        const parts = [sliceRecords(bodyOf(members), 0, at), sliceRecords(bodyOf(members), at, all.length)];
        assert.strictEqual(
          parts.reduce((sum, { records }) => sum + records, 0),
          all.length,
        );
        assert.strictEqual(parts.map(({ body }) => gunzipSync(body).toString()).join(""), textOf(all));
      }),
    );
  });

  it("takes a member that itself is several, and a last record without its newline", () => {
    const member = Buffer.concat([gzipSync("a\nb\n"), gzipSync("c\nd")]);
    assert.strictEqual(gunzipSync(sliceRecords([member], 1, 9).body).toString(), "b\nc\nd");
    assert.strictEqual(sliceRecords([member], 1, 9).records, 3);
  });

  it("finds a record by its index", () => {
    const raw = Buffer.from("zero\n\ntwo\n");
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4].map((index) => recordAt(raw, index)?.toString()),
      ["zero", "", "two", undefined, undefined],
    );
  });
});
