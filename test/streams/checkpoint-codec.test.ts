import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { Packr } from "msgpackr";
import type { Receipt, Register, Row } from "../../src/actors/ports/checkpoints.ts";
import { accounts, type Books } from "../../src/domain/books.ts";
import { idPattern } from "../../src/domain/ids.ts";
import { decodeReceipt, decodeRegister, decodeRow, encodeControl } from "../../src/streams/checkpoint-codec.ts";

const ids = fc.stringMatching(idPattern);
const sequence = fc.maxSafeNat();
const tally = fc.record({ records: sequence, bytes: sequence });
const books = fc.record(Object.fromEntries(accounts.map((account) => [account, tally]))) as fc.Arbitrary<Books>;
const maybe = <A>(some: fc.Arbitrary<A>) => fc.option(some, { nil: undefined });

/** What an actor persists: JSON. */
const snapshots = maybe(
  fc
    .json()
    // No machine has such a name in its context, and the codec does not write it as it is.
    .filter((text) => !text.includes("__proto__"))
    .map((text) => JSON.parse(text) as unknown),
);

const registers: fc.Arbitrary<Register> = fc.record({
  owner: fc.option(fc.string()),
  epoch: sequence,
  nonce: fc.string(),
  scan: sequence,
  incarnation: fc.string(),
  snapshot: sequence,
  writers: fc
    .dictionary(fc.stringMatching(/^[0-9a-f]{16}$/), fc.record({ number: sequence, records: sequence, sequence }))
    .map((each) => ({ ...each })),
  duplicates: fc.array(sequence),
  lowWater: sequence,
});

const rows: fc.Arbitrary<Row> = fc.record({
  job: ids,
  pairKey: fc.tuple(ids, ids).map((both) => both.join(".")),
  revision: sequence,
  start: sequence,
  cursor: sequence,
  counted: sequence,
  cuts: fc.array(sequence, { maxLength: 4 }),
  books,
  snapshot: snapshots,
  deleted: fc.boolean(),
  lastSuccessMillis: maybe(sequence),
  lastErrorMillis: maybe(sequence),
  lastError: maybe(fc.string({ unit: "binary" })),
});

const receipts: fc.Arbitrary<Receipt> = fc.record({
  customer: ids,
  dataset: ids,
  job: ids,
  firstSequence: sequence,
  lastSequence: sequence,
  records: sequence,
  bytes: sequence,
  reason: fc.constantFrom("expired", "shed", "deleted", "possiblyDuplicated", "logLost"),
  millis: sequence,
});

describe("checkpoint codec", () => {
  it("gives back registers, rows and receipts as they were", () => {
    fc.assert(
      fc.property(registers, (register) => assert.deepStrictEqual(decodeRegister(encodeControl(register)), register)),
    );
    fc.assert(fc.property(rows, (row) => assert.deepStrictEqual(decodeRow(encodeControl(row)), row)));
    fc.assert(
      fc.property(receipts, (receipt) => assert.deepStrictEqual(decodeReceipt(encodeControl(receipt)), receipt)),
    );
  });

  it("writes a row with nothing special in it by place, and one with anything more by name", () => {
    fc.assert(
      fc.property(rows, fc.boolean(), (row, succeeded) => {
        const nothing = {
          cuts: [],
          snapshot: undefined,
          deleted: false,
          lastErrorMillis: undefined,
          lastError: undefined,
        };
        const plain: Row = { ...row, ...nothing, lastSuccessMillis: succeeded ? row.lastSuccessMillis : undefined };
        const data = encodeControl(plain);
        assert.isBelow(data.length, 400);
        assert.deepStrictEqual(decodeRow(data), plain);
        // Whatever may be added to rows one day is kept.
        const more = { ...plain, later: 1 };
        assert.deepStrictEqual(decodeRow(encodeControl(more)), more);
        const lossMark = {
          firstSequence: 1,
          lastSequence: 2,
          records: 3,
          bytes: 4,
          reason: "shed" as const,
          millis: 5,
        };
        assert.deepStrictEqual(decodeRow(encodeControl({ ...plain, lossMark })), { ...plain, lossMark });
      }),
    );
    const values: Array<unknown> = [1, "a", "x.y", 1, 0, 0, 0, null, ...accounts.flatMap(() => [0, 0])];
    const packr = new Packr({ useRecords: false });
    assert.isDefined(decodeRow(packr.pack(values)));
    for (let at = 0; at < values.length; at++) {
      assert.isUndefined(decodeRow(packr.pack(values.with(at, {}))), `${at}`);
    }
    assert.isUndefined(decodeRow(packr.pack([...values, 0])));
  });

  it("takes one kind never for another", () => {
    fc.assert(
      fc.property(registers, rows, receipts, (register, row, receipt) => {
        assert.isUndefined(decodeRow(encodeControl(register)));
        assert.isUndefined(decodeReceipt(encodeControl(row)));
        assert.isUndefined(decodeRegister(encodeControl(receipt)));
      }),
    );
  });

  it("answers undefined, and throws nothing, for whatever else it finds", () => {
    const packr = new Packr({ useRecords: false });
    const decoders = [decodeRegister, decodeRow, decodeReceipt];
    fc.assert(fc.property(fc.uint8Array(), (bytes) => decoders.forEach((each) => assert.isUndefined(each(bytes)))));
    fc.assert(
      fc.property(
        rows,
        fc.constantFrom("cursor", "books", "cuts", "deleted", "lastError"),
        fc.constantFrom("", null, -0.5, [{}]),
        (row, key, wrong) => {
          if (key === "lastError" && wrong === "") return;
          assert.isUndefined(decodeRow(packr.pack({ ...row, [key]: wrong })));
        },
      ),
    );
    fc.assert(
      fc.property(rows, fc.nat(), (row, at) => {
        const whole = encodeControl(row);
        assert.isUndefined(decodeRow(whole.subarray(0, at % whole.length)));
      }),
    );
  });
});
