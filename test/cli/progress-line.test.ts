import { assert, describe, it } from "@effect/vitest";
import { progressLine } from "../../src/cli/config/progress-line.ts";

/** What a stream was given. */
class Written {
  readonly isTTY: boolean;
  readonly columns: number;
  text = "";

  constructor(isTTY: boolean, columns = 40) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string | Uint8Array): boolean {
    this.text += String(text);
    return true;
  }
}

describe("a progress line", () => {
  it("is rewritten in place on a terminal, at every look, and taken away at the end", () => {
    const screen = new Written(true);
    const line = progressLine(screen as never);
    line.show("watching, 1s", "watching");
    line.show("watching, 2s", "watching");
    line.clear();
    assert.strictEqual(screen.text, "\r\x1b[2Kwatching, 1s\r\x1b[2Kwatching, 2s\r\x1b[2K");
    const before = screen.text;
    line.clear();
    assert.strictEqual(screen.text, before, "what was printed since stays");
  });

  it("never wraps: what has wrapped cannot be rewritten", () => {
    const screen = new Written(true, 20);
    progressLine(screen as never).show("x".repeat(200), "x");
    assert.strictEqual(screen.text, `\r\x1b[2K${"x".repeat(19)}`);
    // A terminal that does not say how wide it is.
    const unknown = new Written(true, 0);
    progressLine(unknown as never).show("x".repeat(200), "x");
    assert.strictEqual(unknown.text, `\r\x1b[2K${"x".repeat(79)}`);
  });

  it("is a line of its own for each news where nothing can be rewritten", () => {
    const file = new Written(false);
    const line = progressLine(file as never);
    line.show("watching, 1s", "watching");
    line.show("watching, 2s", "watching");
    line.show("promoting", "promoting");
    line.clear();
    assert.strictEqual(file.text, "watching, 1s\npromoting\n");
  });
});
