import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { makePair } from "../../src/domain/partition.ts";
import { Grouping } from "../../src/forwarder/group.ts";

const pairs = ["a", "b", "c"].map((customer) => makePair(customer, "logs", 8));
const pairA = pairs[0]!;

interface Line {
  readonly pair: number;
  readonly text: string;
  readonly ending: string;
}

const group = (lines: ReadonlyArray<Line>, limits = { chunkRecordsMax: 1_000, chunkRawBytesMax: 524_288 }) => {
  const body = Buffer.from(lines.map(({ ending, text }) => text + ending).join(""));
  const grouping = new Grouping(body, limits);
  let at = 0;
  for (const { ending, pair, text } of lines) {
    // A pair beyond the known ones: a record that is not for anybody, which leaves a hole.
    if (pairs[pair] !== undefined) grouping.add(pairs[pair], at, at + text.length, ending === "\n");
    at += text.length + ending.length;
  }
  return { body, pieces: grouping.finish() };
};

const line = fc.record({
  pair: fc.integer({ min: 0, max: 3 }),
  text: fc.integer({ min: 0, max: 60 }).chain((pad) => fc.nat().map((n) => `{"n":${n},"p":"${"x".repeat(pad)}"}`)),
  ending: fc.constantFrom("\n", "\n", "\n", "\r\n", "\n\n", ""),
});

describe("grouping", () => {
  it("keeps every record, in order per pair, in pieces no larger than a chunk", () => {
    const chunkLimits = fc.record({
      chunkRecordsMax: fc.integer({ min: 1, max: 10 }),
      chunkRawBytesMax: fc.integer({ min: 10, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), chunkLimits, (lines, limits) => {
        const { pieces } = group(lines, limits);
        pairs.forEach((pair, i) => {
          const own = pieces.filter((piece) => piece.pair === pair);
          const wanted = lines.filter((each) => each.pair === i).map(({ text }) => `${text}\n`);
          assert.strictEqual(Buffer.concat(own.map(({ data }) => data)).toString(), wanted.join(""));
          assert.strictEqual(
            own.reduce((sum, { records }) => sum + records, 0),
            wanted.length,
          );
        });
        for (const { data, records } of pieces) {
          assert.strictEqual(Buffer.from(data).toString().split("\n").length - 1, records);
          assert.isTrue(records === 1 || (records <= limits.chunkRecordsMax && data.length <= limits.chunkRawBytesMax));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not copy the body of one customer", () => {
    const { body, pieces } = group(Array.from({ length: 1_500 }, () => ({ pair: 0, text: '{"a":1}', ending: "\n" })));
    assert.deepStrictEqual(
      pieces.map(({ records }) => records),
      [1_000, 500],
    );
    assert.isTrue(pieces.every(({ data }) => data.buffer === body.buffer));
  });

  it("does not copy a large run for a last line without a newline", () => {
    const lines = Array.from({ length: 900 }, () => ({ pair: 0, text: `{"a":"${"x".repeat(50)}"}`, ending: "\n" }));
    const { body, pieces } = group([...lines, { pair: 0, text: '{"last":true}', ending: "" }]);
    assert.deepStrictEqual(
      pieces.map(({ records }) => records),
      [900, 1],
    );
    assert.strictEqual(pieces[0]!.data.buffer, body.buffer);
  });

  it("makes one piece per pair of scattered records", () => {
    const { pieces } = group(
      Array.from({ length: 300 }, (_, n) => ({ pair: n % 3, text: `{"n":${n}}`, ending: "\n" })),
    );
    assert.deepStrictEqual(
      pieces.map(({ pair, records }) => [pair.customer, records]),
      [
        ["a", 100],
        ["b", 100],
        ["c", 100],
      ],
    );
  });

  it("lets one record be larger than a chunk, alone", () => {
    const big = `{"x":"${"y".repeat(500)}"}`;
    const { pieces } = group(
      ["{}", big, "{}"].map((text) => ({ pair: 0, text, ending: "\n" })),
      { chunkRecordsMax: 10, chunkRawBytesMax: 100 },
    );
    assert.deepStrictEqual(
      pieces.map(({ records }) => records),
      [1, 1, 1],
    );
    assert.strictEqual(pieces[1]!.pair, pairA);
  });
});
