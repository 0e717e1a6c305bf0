import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import type { RecordSpans } from "../../src/actors/ports/outbox.ts";
import type { Pair } from "../../src/domain/partition.ts";
import type { IngestRequest } from "../../src/forwarder/ingest-request.ts";
import { PairIndexes } from "../../src/forwarder/pair-index.ts";
import { sortBody, type Sorted } from "../../src/forwarder/sort.ts";
import { SpanBuilder, type SpanLimits } from "../../src/forwarder/span-builder.ts";
import { piecesOf } from "../support/world.ts";
import { jobSetOf } from "./door-world.ts";

const customers = ["a", "b", "c"] as const;
const set = jobSetOf(customers.map((customer) => [customer, "logs"] as const));
const pairs = customers.map((customer) => set.pairs.get(`${customer}.logs`)!);
const roomy: SpanLimits = { chunkRecordsMax: 1_000, chunkRawBytesMax: 524_288 };

interface Line {
  /** Beyond the known ones: of a customer without a push job, which leaves a hole. */
  readonly pair: number;
  readonly text: string;
  readonly ending: string;
}

const textOf = (pair: number, rest: string) => `{"customer":"${customers[pair] ?? "stranger"}",${rest}}`;
const bodyOf = (lines: ReadonlyArray<Line>) => Buffer.from(lines.map(({ ending, text }) => text + ending).join(""));

/** Through the builder alone, which knows records that end in one newline. */
const build = (lines: ReadonlyArray<Line>, limits: SpanLimits = roomy) => {
  const body = bodyOf(lines);
  const spans = new SpanBuilder(body, limits);
  let at = 0;
  for (const { ending, pair, text } of lines) {
    if (pairs[pair] !== undefined) spans.add(pairs[pair], at, at + text.length + 1);
    at += text.length + ending.length;
  }
  return { body, spans };
};

const asked: IngestRequest = {
  dataset: "logs",
  customer: undefined,
  customerField: "customer",
  encoding: "identity",
  idempotencyKey: undefined,
  announcedBytes: undefined,
};

/** Through the door's sorting of a body as it came. */
const sort = (lines: ReadonlyArray<Line>, limits: SpanLimits = roomy, request = asked) => {
  const body = bodyOf(lines);
  let sorted: Sorted | undefined;
  const index = new PairIndexes().of(set, "logs");
  const all = { ...limits, recordBytesMax: 1_048_576, refusedListedMax: 10 };
  const steps: Array<() => void> = [];
  sortBody(
    request,
    body,
    index,
    all,
    false,
    (step) => steps.push(step),
    (result) => (sorted = result),
  );
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) step();
  return { body, sorted: sorted!, spans: sorted!.spans };
};

const lineOf = (endings: fc.Arbitrary<string>): fc.Arbitrary<Line> =>
  fc
    .record({
      pair: fc.integer({ min: 0, max: 3 }),
      number: fc.nat(),
      pad: fc.integer({ min: 0, max: 60 }),
      ending: endings,
    })
    .map(({ ending, number, pad, pair }) => ({
      pair,
      text: textOf(pair, `"n":${number},"p":"${"x".repeat(pad)}"`),
      ending,
    }));

/** Runs of one pair are as likely as changes from record to record. */
const linesOf = (ending: fc.Arbitrary<string>) =>
  fc.array(fc.array(lineOf(ending), { minLength: 1, maxLength: 6 }), { maxLength: 15 }).chain((runs) =>
    fc.array(fc.boolean(), { minLength: runs.length, maxLength: runs.length }).map((same) =>
      runs.flatMap((run, i) => {
        const { pair } = run[0]!;
        const renamed = (line: Line) => ({ ...line, pair, text: line.text.replace(/"[a-z]+",/, customerText(pair)) });
        return same[i] === true ? run.map(renamed) : run;
      }),
    ),
  );
const customerText = (pair: number) => `"${customers[pair] ?? "stranger"}",`;

const cleanLines = linesOf(fc.constant("\n"));
/** Any ending; the last line is left open, or not. */
const anyLines = fc
  .tuple(linesOf(fc.constantFrom("\n", "\n", "\n", "\r\n", "\n\n", "\r\n\r\n")), fc.boolean())
  .map(([lines, open]) => lines.map((line, i) => (open && i === lines.length - 1 ? { ...line, ending: "" } : line)));

const chunkLimits = fc.record({
  chunkRecordsMax: fc.integer({ min: 1, max: 10 }),
  chunkRawBytesMax: fc.integer({ min: 10, max: 400 }),
});

const textOfPair = (spans: RecordSpans, pair: Pair) =>
  Buffer.concat(
    piecesOf(spans)
      .filter((piece) => piece.pair === pair)
      .map(({ data }) => data),
  ).toString();

const columnsOf = ({ bytes, pairs: columns, records, starts, stops }: RecordSpans) => ({
  bytes,
  pairs: columns,
  records,
  starts,
  stops,
});

const assertHolds = (spans: RecordSpans, lines: ReadonlyArray<Line>, limits: SpanLimits) => {
  for (const column of [spans.starts, spans.stops, spans.records])
    assert.strictEqual(column.length, spans.pairs.length);
  for (const [i, pair] of pairs.entries()) {
    const wanted = lines.filter((each) => each.pair === i).map(({ text }) => `${text}\n`);
    assert.strictEqual(textOfPair(spans, pair), wanted.join(""));
  }
  const known = lines.filter(({ pair }) => pairs[pair] !== undefined);
  assert.deepStrictEqual(
    piecesOf(spans).flatMap(({ pair, records }) => Array.from({ length: records }, () => pair)),
    known.map(({ pair }) => pairs[pair]!),
  );
  assert.strictEqual(
    spans.bytes,
    known.reduce((sum, { text }) => sum + text.length + 1, 0),
  );
  for (const { data, records } of piecesOf(spans)) {
    assert.strictEqual(data.toString().split("\n").length - 1, records);
    assert.isTrue(records === 1 || (records <= limits.chunkRecordsMax && data.length <= limits.chunkRawBytesMax));
  }
};

/** No span could have been part of the one before it: as few spans as neighbours and limits allow. */
const assertFewest = ({ body, pairs: columns, records, starts, stops }: RecordSpans, limits: SpanLimits) => {
  for (let i = 1; i < columns.length; i++) {
    if (columns[i] !== columns[i - 1] || starts[i] !== stops[i - 1]) continue;
    const next = body.indexOf("\n", starts[i]) + 1;
    const isFull = records[i - 1]! >= limits.chunkRecordsMax || next - starts[i - 1]! > limits.chunkRawBytesMax;
    assert.isTrue(isFull, `spans ${i - 1} and ${i}`);
  }
};

describe("spans of a body", () => {
  it("hold every record, in order per pair, no larger than a chunk, in as few spans as can be", () => {
    fc.assert(
      fc.property(cleanLines, chunkLimits, (lines, limits) => {
        const { body, spans } = build(lines, limits);
        assert.strictEqual(spans.body, body);
        assertHolds(spans, lines, limits);
        assertFewest(spans, limits);
      }),
      { numRuns: 1_000 },
    );
  });

  it("do so however the lines of a body end, through the door", () => {
    fc.assert(
      fc.property(anyLines, chunkLimits, (lines, limits) => {
        const { body, sorted, spans } = sort(lines, limits);
        assertHolds(spans, lines, limits);
        assertFewest(spans, limits);
        assert.strictEqual(sorted.refusals.count, 0);
        assert.strictEqual(sorted.accepted, lines.filter(({ pair }) => pair < pairs.length).length);
        assert.strictEqual(sorted.acceptedBytes, spans.bytes);
        // In the memory that was read into; only an open last line needs one byte more.
        if (lines.at(-1)?.ending !== "") assert.strictEqual(spans.body, body);
        else assert.strictEqual(spans.body.length, body.length + 1);
      }),
      { numRuns: 1_000 },
    );
  });

  it("are the same through the door and without it where all lines end in a newline", () => {
    fc.assert(
      fc.property(cleanLines, chunkLimits, (lines, limits) => {
        assert.deepStrictEqual(columnsOf(sort(lines, limits).spans), columnsOf(build(lines, limits).spans));
      }),
      { numRuns: 300 },
    );
  });

  it("are views of the body where it belongs to one customer", () => {
    const lines = Array.from({ length: 1_500 }, () => ({ pair: 0, text: '{"a":1}', ending: "\n" }));
    const { body, spans } = sort(lines, roomy, { ...asked, customer: "a", customerField: undefined });
    assert.deepStrictEqual(spans.records, [1_000, 500]);
    assert.deepStrictEqual(spans.starts, [0, 8_000]);
    assert.deepStrictEqual(spans.stops, [8_000, 12_000]);
    assert.strictEqual(spans.body, body);
  });

  it("are one span for a last line without a newline and its neighbours", () => {
    const lines = Array.from({ length: 900 }, () => ({ pair: 0, text: `{"a":"${"x".repeat(50)}"}`, ending: "\n" }));
    const open = [...lines, { pair: 0, text: '{"last":true}', ending: "" }];
    const { spans } = sort(open, roomy, { ...asked, customer: "a", customerField: undefined });
    assert.deepStrictEqual(spans.records, [901]);
    assert.isTrue(textOfPair(spans, pairs[0]!).endsWith('"}\n{"last":true}\n'));
  });

  it("end where a carriage return or an empty line stands between two records", () => {
    const lines = ["\n", "\r\n", "\n", "\n\n", "\n"].map((ending) => ({ pair: 0, text: textOf(0, '"n":1'), ending }));
    const { body, spans } = sort(lines);
    assert.deepStrictEqual(spans.records, [2, 2, 1]);
    assert.strictEqual(spans.body, body);
  });

  it("are one for each record of pairs that take turns", () => {
    const lines = Array.from({ length: 300 }, (_, n) => ({
      pair: n % 3,
      text: textOf(n % 3, `"n":${n}`),
      ending: "\n",
    }));
    const { spans } = sort(lines);
    assert.deepStrictEqual(
      spans.records,
      lines.map(() => 1),
    );
    assert.deepStrictEqual(
      spans.pairs,
      lines.map(({ pair }) => pairs[pair]!),
    );
  });

  it("let one record be larger than a chunk, alone", () => {
    const big = `{"x":"${"y".repeat(500)}"}`;
    const { spans } = build(
      ["{}", "{}", big, "{}", "{}"].map((text) => ({ pair: 0, text, ending: "\n" })),
      { chunkRecordsMax: 10, chunkRawBytesMax: 100 },
    );
    assert.deepStrictEqual(spans.records, [2, 1, 2]);
    assert.strictEqual(spans.stops[1]! - spans.starts[1]!, big.length + 1);
  });

  it("are the same for a body that is gone through in several steps", () => {
    const lines = Array.from({ length: 120_000 }, (_, n) => {
      const pair = (n >> 2) % 4;
      return { pair, text: textOf(pair, `"n":${n}`), ending: n % 100 === 0 ? "\r\n" : "\n" };
    });
    const { spans } = sort(lines);
    assert.strictEqual(
      spans.records.reduce((sum, each) => sum + each),
      90_000,
    );
    for (const [i, pair] of pairs.entries()) {
      const wanted = lines.filter((each) => each.pair === i).map(({ text }) => `${text}\n`);
      assert.isTrue(textOfPair(spans, pair) === wanted.join(""));
    }
  });
});
