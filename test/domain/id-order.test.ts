import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { IdOrder } from "../../src/domain/id-order.ts";
import { idPageOf } from "../../src/domain/id-page.ts";
import { mergedIds } from "../../src/domain/merged-ids.ts";

/** A table as those are that have an order: it tells what comes, and is asked what is there. */
const tableOf = (ids: Iterable<string>, runMax: number) => {
  const present = new Set(ids);
  let looks = 0;
  const order = new IdOrder(() => {
    looks += 1;
    return present;
  }, runMax);
  return {
    present,
    looks: () => looks,
    add: (id: string) => {
      if (present.has(id)) return;
      present.add(id);
      order.added(id);
    },
    page: (after: string | undefined, limit: number) => {
      const entries = function* () {
        for (const id of order.after(after)) if (present.has(id)) yield [id, id] as const;
      };
      return idPageOf(entries(), limit);
    },
  };
};

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const someIds = fc.uniqueArray(fc.constantFrom(...letters), { maxLength: 26 });
const change = fc.record({ id: fc.constantFrom(...letters), comes: fc.boolean() });

describe("a list in pages", () => {
  it("has what was there throughout, once and in order, whatever comes and goes and whoever else reads", () => {
    const property = fc.property(
      someIds,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 30 }),
      fc.array(fc.option(fc.constantFrom(...letters)), { maxLength: 30 }),
      (ids, runMax, limit, changes, others) => {
        const table = tableOf(ids, runMax);
        // What a reader before this one has left behind.
        table.page(others[0] ?? undefined, limit);
        for (const { comes, id } of changes[0] ?? []) {
          if (comes) table.add(id);
          else table.present.delete(id);
        }
        const throughout = new Set(table.present);
        const seen: Array<string> = [];
        let after: string | undefined;
        for (let turn = 1; ; turn++) {
          const { items, next } = table.page(after, limit);
          assert.isAtMost(items.length, limit);
          if (next !== undefined) assert.deepStrictEqual([items.length, items.at(-1)], [limit, next]);
          seen.push(...items);
          if (next === undefined) break;
          after = next;
          for (const { comes, id } of changes[turn] ?? []) {
            if (comes) table.add(id);
            else {
              table.present.delete(id);
              throughout.delete(id);
            }
          }
          if (turn < others.length) table.page(others[turn] ?? undefined, limit);
        }
        assert.deepStrictEqual(seen, [...new Set(seen)].toSorted(), "in order, none twice");
        for (const id of throughout) assert.include(seen, id);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  it("looks at the whole table once for many pages", () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => `job-${(i * 7_919) % 10_000}`);
    const table = tableOf(ids, 2_500);
    const seen: Array<string> = [];
    let after: string | undefined;
    do {
      const { items, next } = table.page(after, 100);
      seen.push(...items);
      after = next;
    } while (after !== undefined);
    assert.deepStrictEqual(seen, ids.toSorted());
    assert.isAtMost(table.looks(), 5, "of 100 pages");
  });

  it("looks no more often when others read at other places", () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `job-${String(i).padStart(4, "0")}`);
    const table = tableOf(ids, 100);
    const places = ["job-0000", "job-0300", "job-0600"];
    for (const place of places) table.page(place, 10);
    const before = table.looks();
    for (let turn = 0; turn < 5; turn++) {
      for (const [i, place] of places.entries()) places[i] = table.page(place, 10).next!;
    }
    assert.strictEqual(table.looks(), before);
    assert.deepStrictEqual(places, ["job-0050", "job-0350", "job-0650"]);
  });

  it("has no next when the last page is just full, and none when nothing is left", () => {
    const table = tableOf(["a", "b", "c", "d"], 10);
    assert.deepStrictEqual(table.page("b", 2), { items: ["c", "d"], next: undefined });
    assert.deepStrictEqual(table.page("a", 2), { items: ["b", "c"], next: "c" });
    assert.deepStrictEqual(table.page("d", 2), { items: [], next: undefined });
    assert.deepStrictEqual(tableOf([], 10).page(undefined, 2), { items: [], next: undefined });
    table.present.delete("d");
    assert.deepStrictEqual(table.page("a", 2), { items: ["b", "c"], next: undefined }, "what has gone is no more");
  });
});

describe("merged ids", () => {
  it("are the union in order, with the sources of each", () => {
    const sources = fc.array(someIds, { maxLength: 5 });
    const property = fc.property(sources, (lists) => {
      const merged = [...mergedIds(lists.map((list) => list.toSorted()))];
      assert.deepStrictEqual(
        merged.map(([id]) => id),
        [...new Set(lists.flat())].toSorted(),
      );
      for (const [id, places] of merged) {
        assert.deepStrictEqual(
          places,
          [...lists.keys()].filter((place) => lists[place]!.includes(id)),
        );
      }
    });
    fc.assert(property);
  });
});
