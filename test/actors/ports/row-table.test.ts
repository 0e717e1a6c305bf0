import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import type { Row } from "../../../src/actors/ports/checkpoints.ts";
import { RowTable } from "../../../src/actors/ports/row-table.ts";
import { accounts, addBooks, type Books, emptyBooks } from "../../../src/domain/books.ts";

const whole = fc.nat({ max: 2 ** 50 });
const tally = fc.record({ records: whole, bytes: whole });
const books = fc
  .tuple(...accounts.map(() => fc.option(tally, { nil: { records: 0, bytes: 0 } })))
  .map((all) => Object.fromEntries(accounts.map((account, i) => [account, all[i]])) as unknown as Books);
const maybe = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined });

const row: fc.Arbitrary<Row> = fc.record(
  {
    job: fc.constantFrom("a", "b", "c", "d"),
    pairKey: fc.constantFrom("x.logs", "y.logs"),
    revision: whole,
    start: whole,
    cursor: whole,
    counted: whole,
    cuts: fc.array(whole, { maxLength: 4 }),
    books,
    snapshot: fc.constantFrom<unknown>(undefined, { version: 1, context: { batch: { first: 1 }, gone: undefined } }),
    deleted: fc.boolean(),
    lastSuccessMillis: maybe(whole),
    lastErrorMillis: maybe(whole),
    lastError: maybe(fc.string()),
    evidence: fc.constantFrom(undefined, {
      millis: 1,
      event: "push",
      error: "é \u0000undefined?",
      firstSequence: undefined,
      lastSequence: 4,
      crashes: 2,
    }),
  },
  { noNullPrototype: true },
);

/** As a row with a member of the value `undefined` is the same as one without it. */
const present = ({ evidence, ...rest }: Row) => (evidence === undefined ? rest : { ...rest, evidence });

describe("a table of rows", () => {
  it("gives every row back as it was put, member by member, and keeps the sum of their books", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(row, fc.boolean()), { maxLength: 20 }), (steps) => {
        const table = new RowTable();
        const model = new Map<string, Row>();
        for (const [each, taken] of steps) {
          if (taken) {
            assert.deepStrictEqual(table.has(each.job), model.has(each.job));
            const answer = table.take(each.job);
            assert.deepStrictEqual(answer && present(answer), model.get(each.job));
            model.delete(each.job);
          } else {
            table.put(each);
            model.set(each.job, present(each));
          }
        }
        const byJob = (rows: Iterable<Row>) => [...rows].map(present).toSorted((a, b) => (a.job < b.job ? -1 : 1));
        assert.deepStrictEqual(byJob(table), byJob(model.values()));
        assert.strictEqual(table.size, model.size);
        const sum = [...model.values()].reduce((total, each) => addBooks(total, each.books), emptyBooks);
        assert.deepStrictEqual(table.totals(), sum);
      }),
    );
  });
});
