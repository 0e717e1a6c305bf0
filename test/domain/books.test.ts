import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { Ledger } from "../../src/actors/buffer/ledger.ts";
import { accounts, addBooks, type Books, emptyBooks, unexplained } from "../../src/domain/books.ts";

const tally = fc.record({ records: fc.nat(1_000_000), bytes: fc.nat(1_000_000_000) });
const books = fc.record(
  Object.fromEntries(accounts.map((account) => [account, tally])),
) as unknown as fc.Arbitrary<Books>;
const nothing = { records: 0, bytes: 0 };

describe("books", () => {
  it("explain everything when nothing happened", () => {
    assert.deepStrictEqual(unexplained(emptyBooks), nothing);
  });

  it("show each record that one side has and the other has not", () => {
    fc.assert(
      fc.property(books, fc.constantFrom(...accounts), tally, (before, account, more) => {
        const after = { ...before, [account]: addBooks(emptyBooks, { ...emptyBooks, [account]: more })[account] };
        const sign = account === "accepted" ? 1 : -1;
        const was = unexplained({ ...before, [account]: nothing });
        assert.deepStrictEqual(unexplained(after as Books), {
          records: was.records + sign * more.records,
          bytes: was.bytes + sign * more.bytes,
        });
      }),
    );
  });

  it("add up account by account, and what is unexplained adds up with them", () => {
    fc.assert(
      fc.property(books, books, (a, b) => {
        const sum = addBooks(a, b);
        for (const account of accounts) {
          assert.strictEqual(sum[account].records, a[account].records + b[account].records);
          assert.strictEqual(sum[account].bytes, a[account].bytes + b[account].bytes);
        }
        assert.strictEqual(unexplained(sum).records, unexplained(a).records + unexplained(b).records);
      }),
    );
  });
});

describe("ledger", () => {
  const entry = fc.oneof(
    fc.record({ do: fc.constant("accept" as const), of: tally }),
    fc.record({ do: fc.constant("settle" as const), of: tally }),
    fc.record({ do: fc.constant("writeOff" as const), of: tally }),
    fc.record({ do: fc.constant("writeOffPending" as const), of: tally }),
  );

  it("balances after every entry whose two sides agree, and from a row on as without one (I5)", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), fc.nat(30), (entries, restartAt) => {
        let ledger = new Ledger();
        const whole = new Ledger();
        for (const [i, { do: what, of }] of entries.entries()) {
          if (i === restartAt) ledger = new Ledger(structuredClone(ledger.books()));
          for (const each of [ledger, whole]) {
            if (what === "accept") each.accept(of.records, of.bytes);
            if (what === "writeOff") each.writeOff("expired", of.records, of.bytes);
            if (what === "writeOffPending") each.writeOffPending("shed");
            if (what === "settle") {
              each.deliver(of.records, of.bytes);
              each.leavePending(of.records, of.bytes);
            }
            assert.deepStrictEqual(unexplained(each.books()), nothing);
          }
        }
        assert.deepStrictEqual(ledger.books(), whole.books());
      }),
    );
  });

  it("shows what the encoder wrote too little, instead of making the sides agree", () => {
    const ledger = new Ledger();
    ledger.accept(10, 100);
    ledger.deliver(9, 90);
    ledger.leavePending(10, 100);
    assert.deepStrictEqual(unexplained(ledger.books()), { records: 1, bytes: 10 });
  });
});
