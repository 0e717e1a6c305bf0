import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { KeyedBytes } from "../../src/domain/keyed-bytes.ts";

const key = fc.integer({ min: 0, max: 30 }).map((n) => `key-${n}`);
const step = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key, value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({ do: fc.constant("snapshot" as const) }),
  fc.record({ do: fc.constant("trim" as const) }),
);

const byKey = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : 1);
const contentOf = (bytes: KeyedBytes) =>
  [...bytes.entries()].map(([k, v]): [string, string] => [k, v.toString("hex")]).toSorted(byKey);
const hexOf = (map: ReadonlyMap<string, Uint8Array>) =>
  [...map].map(([k, v]): [string, string] => [k, Buffer.from(v).toString("hex")]).toSorted(byKey);

describe("bytes by key", () => {
  it("are what a map would hold, and a snapshot stays what it was, whichever of the two is changed", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (steps, bits) => {
        const bytes = new KeyedBytes(bits);
        const model = new Map<string, Uint8Array>();
        const snapshots: Array<{ readonly taken: KeyedBytes; readonly content: ReturnType<typeof hexOf> }> = [];
        const given: Array<{ readonly view: Buffer; readonly hex: string }> = [];
        for (const each of steps) {
          if (each.do === "set") {
            bytes.set(each.key, each.value);
            model.set(each.key, each.value);
            const view = bytes.get(each.key)!;
            given.push({ view, hex: view.toString("hex") });
          } else if (each.do === "delete") assert.strictEqual(bytes.delete(each.key), model.delete(each.key));
          else if (each.do === "trim") bytes.trim();
          else {
            const taken = bytes.snapshot();
            const content = hexOf(model);
            const copy = taken.snapshot();
            copy.set("other", new Uint8Array([1]));
            for (const name of model.keys()) copy.delete(name);
            snapshots.push({ taken, content });
          }
          assert.strictEqual(bytes.size, model.size);
        }
        assert.deepStrictEqual(contentOf(bytes), hexOf(model));
        for (const [name, value] of model) assert.deepStrictEqual(bytes.get(name), Buffer.from(value));
        for (const { content, taken } of snapshots) {
          assert.deepStrictEqual(contentOf(taken), content);
          const now = new Map(contentOf(bytes));
          const then = new Map(content);
          const names = new Set([...now.keys(), ...then.keys()]);
          const differing = [...names].filter((name) => now.get(name) !== then.get(name));
          assert.sameMembers([...taken.differing(bytes)], differing);
        }
        for (const { hex, view } of given) assert.strictEqual(view.toString("hex"), hex);
      }),
      { numRuns: 200 },
    );
  });

  it("take little more memory than they are, and a change copies one segment and no more", () => {
    const bytes = new KeyedBytes(8);
    for (let i = 0; i < 20_000; i++) bytes.set(`job-${i}`, Buffer.alloc(100, i));
    const before = bytes.snapshot();
    bytes.set("job-7", Buffer.from("new"));
    assert.deepStrictEqual([...before.differing(bytes)], ["job-7"]);
    assert.strictEqual(before.get("job-7")!.length, 100);
    // Replaced again and again, what is dead does not stay.
    const one = new KeyedBytes(1);
    for (let i = 0; i < 20_000; i++) one.set("a", Buffer.alloc(1_000, i));
    assert.isBelow(one.get("a")!.buffer.byteLength, 20_000);
  });
});
