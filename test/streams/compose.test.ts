import { assert, describe, it } from "@effect/vitest";
import { gunzipSync } from "node:zlib";
import { ContinuityWatch } from "../../src/actors/partition/continuity.ts";
import type { Chunk, Writer } from "../../src/actors/ports/log.ts";
import { makePair } from "../../src/domain/partition.ts";
import type { StreamMessage } from "../../src/streams/atomic-batch.ts";
import { decode } from "../../src/streams/chunk.ts";
import { compose, compress, Numbering } from "../../src/streams/compose.ts";
import type { Planned } from "../../src/streams/gather.ts";
import { pairKeyOf } from "../../src/streams/subjects.ts";

/** One message, as the outbox plans it: `raw` a copy, or a view of somebody's body. */
const planned = (
  kind: Planned["kind"],
  chunks: ReadonlyArray<readonly [customer: string, ...lines: ReadonlyArray<string>]>,
  copied: boolean,
): Planned => {
  const raws = chunks.map(([, ...lines]) => Buffer.from(lines.map((line) => `${line}\n`).join("")));
  return {
    kind,
    pairs: chunks.map(([customer]) => makePair(customer, "x", 8)),
    records: chunks.map(([, ...lines]) => lines.length),
    bytes: raws.map(({ length }) => length),
    raw: Buffer.concat(raws),
    copied,
  };
};

/** Made anew for every write: a copy's memory is given back when it is compressed. */
const planOf = (): ReadonlyArray<Planned> => [
  planned("plain", [["a", "a1", "a2", "a3"]], false),
  planned(
    "mux",
    [
      ["b", "b1"],
      ["c", "c1", "c2"],
    ],
    true,
  ),
  planned("plain", [["d", "d1"]], false),
];

const composed = async (numbering: Numbering, key?: string, firstMessage = 0) => {
  const plan = planOf();
  const bodies = await compress(plan);
  return compose(3, plan, bodies, numbering, 42, key === undefined ? undefined : { key, firstMessage });
};

const decoded = ({ data, subject }: StreamMessage) => decode(data, pairKeyOf(subject));
const contentOf = ({ data, from, to }: Chunk) => data.subarray(from, to);
const writersOf = (messages: ReadonlyArray<StreamMessage>): ReadonlyArray<Writer> =>
  messages.map((each) => decoded(each).writer);

const ids = (messages: ReadonlyArray<StreamMessage>) => messages.map(({ messageId }) => messageId);

describe("compose", () => {
  it("numbers messages consecutively and counts the records before each, across writes", async () => {
    const numbering = new Numbering("me");
    const writers = [...writersOf(await composed(numbering)), ...writersOf(await composed(numbering))];
    assert.deepStrictEqual(
      writers.map(({ number }) => number),
      [1, 2, 3, 4, 5, 6],
    );
    assert.deepStrictEqual(
      writers.map(({ recordsBefore }) => recordsBefore),
      [0, 3, 6, 7, 10, 13],
    );
    assert.isTrue(writers.every(({ absent, incarnation }) => absent === 0 && incarnation === "me"));
  });

  it("puts plain chunks under their pair's subject and mux messages under the partition's", async () => {
    const messages = await composed(new Numbering("me"));
    assert.deepStrictEqual(
      messages.map(({ subject }) => subject),
      ["log.003.a.x", "log.003._mux", "log.003.d.x"],
    );
    const [first, second] = messages.map(decoded);
    assert.strictEqual(first!.jobSet, 42);
    assert.strictEqual(gunzipSync(contentOf(first!.chunks[0]!)).toString(), "a1\na2\na3\n");
    assert.deepStrictEqual(
      second!.chunks.map((chunk) => [chunk.pairKey, chunk.records, contentOf(chunk).toString()]),
      [
        ["b.x", 1, "b1\n"],
        ["c.x", 2, "c1\nc2\n"],
      ],
    );
  });

  it("makes message ids of the running number, or of the key: then the same whoever sends it", async () => {
    const numbering = new Numbering("me");
    assert.deepStrictEqual(ids(await composed(numbering)), ["me/3/1", "me/3/2", "me/3/3"]);
    assert.deepStrictEqual(ids(await composed(numbering)), ["me/3/4", "me/3/5", "me/3/6"]);
    const keyed = ids(await composed(numbering, "order-7"));
    assert.deepStrictEqual(keyed, ids(await composed(new Numbering("another"), "order-7")));
    // What one atomic batch cannot take goes on in the next: with ids of its own, and again the same ones.
    const continued = ids(await composed(numbering, "order-7", 3));
    assert.strictEqual(new Set([...keyed, ...continued]).size, 6);
    assert.deepStrictEqual(continued, ids(await composed(new Numbering("another"), "order-7", 3)));
  });
});

/** What a reader says that sees only the messages that were stored. */
const verdicts = (numbering: Numbering, writes: ReadonlyArray<"stored" | "repeat">) => {
  const watch = new ContinuityWatch({}, []);
  let sequence = 0;
  return writes.flatMap((write) => {
    const writers = [numbering.next(1), numbering.next(1)];
    if (write === "repeat") {
      numbering.forget(2);
      return [];
    }
    return writers.map((writer) => watch.see(++sequence, writer, 1)._tag);
  });
};

describe("numbers that may be absent from the log", () => {
  it("are declared by the next message, so that the reader reports no gap", () => {
    assert.deepStrictEqual(verdicts(new Numbering("me"), ["stored", "repeat", "stored"]), [
      "Next",
      "Next",
      "Next",
      "Next",
    ]);
  });

  it("are declared after several repeats in a row, too", () => {
    const writes = ["stored", "repeat", "repeat", "repeat", "stored", "stored"] as const;
    assert.deepStrictEqual(
      verdicts(new Numbering("me"), writes),
      Array.from({ length: 6 }, () => "Next"),
    );
  });

  it("do not hide a loss: what is missing beyond them is a gap", () => {
    const numbering = new Numbering("me");
    const watch = new ContinuityWatch({}, []);
    assert.strictEqual(watch.see(1, numbering.next(1), 1)._tag, "Next");
    numbering.next(1);
    numbering.forget(1);
    numbering.next(5);
    assert.strictEqual(watch.see(2, numbering.next(1), 1)._tag, "Gap");
  });
});
