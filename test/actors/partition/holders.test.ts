import { assert, describe, it } from "@effect/vitest";
import { Holders } from "../../../src/actors/partition/holders.ts";

const life = (pair: string, start: number, counted: number) => ({ pairKey: `${pair}.http`, start, counted });

describe("in whose books a chunk is that is read again", () => {
  it("is told from where a job began to where it had counted", () => {
    const holders = new Holders();
    holders.set("one", life("a", 22, 30), 20);
    holders.set("two", life("a", 25, 40), 20);
    holders.set("three", life("b", 0, 50), 20);
    assert.deepStrictEqual(
      [22, 23, 26, 30, 31, 40, 41].map((sequence) => holders.of("a.http", sequence)),
      [[], ["one"], ["one", "two"], ["one", "two"], ["two"], ["two"], []],
    );
  });

  it("is of no interest where it was read already", () => {
    const holders = new Holders();
    holders.set("one", life("a", 0, 20), 20);
    assert.deepStrictEqual(holders.of("a.http", 20), []);
  });

  it("changes with the life that it is of, and with no other of that name", () => {
    const holders = new Holders();
    holders.set("one", life("a", 0, 30), 20);
    holders.set("one", life("a", 30, 40), 20);
    holders.set("one", life("a", 0, 25), 20);
    assert.deepStrictEqual(
      [25, 26, 31].map((sequence) => holders.of("a.http", sequence)),
      [["one"], [], ["one"]],
    );
  });
});
