import type { Pair } from "../../src/domain/partition.ts";
import { type Piece, pieceOf } from "./world.ts";

/** Numbered lines per pair, and what was handed out: loss, repetition and disorder all show in the lines themselves. */
export class WrittenLines {
  private readonly written = new Map<string, Array<string>>();

  next(pair: Pair, count: number, padding = 0): Piece {
    const own = this.written.get(pair.key) ?? [];
    this.written.set(pair.key, own);
    const x = "x".repeat(padding);
    const lines = Array.from({ length: count }, (_, i) => `{"n":${own.length + i},"pair":"${pair.key}","x":"${x}"}`);
    own.push(...lines);
    return pieceOf(pair, lines);
  }

  /** By `Pair.key`. */
  all(): ReadonlyMap<string, ReadonlyArray<string>> {
    return this.written;
  }

  records(): number {
    return [...this.written.values()].reduce((sum, lines) => sum + lines.length, 0);
  }
}
