import { assert, describe, it } from "vitest";
import { crashText } from "../../../src/actors/buffer/crash-text.ts";

describe("the text of a crash", () => {
  it("tells what it was in one line, without what it quotes", () => {
    let thrown: unknown;
    try {
      JSON.parse('{"email":"ann@example.com",}');
    } catch (error) {
      thrown = error;
    }
    const text = crashText(thrown);
    assert.match(text, /^SyntaxError: /);
    assert.notInclude(text, "ann@example.com");
    assert.strictEqual(crashText(new Error("two\nlines")), "Error: two lines");
    assert.strictEqual(crashText("a defect"), "a defect");
    assert.isAtMost(crashText("x".repeat(10_000)).length, 300);
  });
});
