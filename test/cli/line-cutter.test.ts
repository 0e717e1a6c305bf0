import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { type LineBody, LineCutter, type LongLine } from "../../src/cli/send/line-cutter.ts";

const cut = (chunks: ReadonlyArray<Buffer>, limits: { recordsMax: number; bytesMax: number; lineBytesMax: number }) => {
  const long: Array<LongLine> = [];
  const cutter = new LineCutter(limits, (line) => long.push(line));
  const bodies: Array<LineBody> = [];
  for (const chunk of chunks) bodies.push(...cutter.push(chunk));
  bodies.push(...cutter.end());
  return { bodies, long };
};

const limits = { recordsMax: 3, bytesMax: 20, lineBytesMax: 40 };

describe("LineCutter", () => {
  it("keeps every byte in order, within its limits, however the input is chopped", () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll("\n", " "));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.integer({ min: 1, max: 17 }), (lines, step) => {
        const text = Buffer.from(lines.map((each) => `${each}\n`).join(""));
        if (lines.some((each) => Buffer.byteLength(each) > limits.lineBytesMax)) return;
        const chunks = Array.from({ length: Math.ceil(text.length / step) }, (_, at) =>
          text.subarray(at * step, (at + 1) * step),
        );
        const { bodies, long } = cut(chunks, limits);
        assert.deepEqual(long, []);
        assert.isTrue(Buffer.concat(bodies.map(({ data }) => data)).equals(text));
        let next = 1;
        for (const body of bodies) {
          assert.equal(body.firstLine, next);
          const inside = body.data.toString().split("\n").slice(0, -1);
          assert.equal(body.lines, inside.length);
          assert.equal(body.records, inside.filter((each) => each !== "" && each !== "\r").length);
          assert.isAtMost(body.records, limits.recordsMax);
          if (body.data.length > limits.bytesMax) assert.equal(body.lines, 1);
          next += body.lines;
        }
      }),
    );
  });

  it("skips a line that does not fit in memory, and keeps the numbers of the others", () => {
    const { bodies, long } = cut(
      [Buffer.from(`{}\n${"x".repeat(50)}`), Buffer.from(`${"x".repeat(50)}\n{}\n`)],
      limits,
    );
    assert.deepEqual(long, [{ line: 2 }]);
    assert.deepEqual(
      bodies.map(({ firstLine, records }) => ({ firstLine, records })),
      [
        { firstLine: 1, records: 1 },
        { firstLine: 3, records: 1 },
      ],
    );
  });

  it("ends a last line that has no newline, too long or not", () => {
    assert.equal(cut([Buffer.from("{}")], limits).bodies[0]?.data.toString(), "{}\n");
    assert.deepEqual(cut([Buffer.from("x".repeat(99))], limits).long, [{ line: 1 }]);
    assert.deepEqual(cut([], limits).bodies, []);
  });
});
