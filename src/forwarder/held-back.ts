import type { Pair } from "../domain/partition.ts";
import type { HeldBackReason } from "./refusals.ts";

/** Records of one pair in one body that its customer must send again. */
export interface HeldBackPair {
  readonly pair: Pair;
  readonly reason: HeldBackReason;
  readonly records: number;
  /** As they stood in the body, a newline each. */
  readonly bytes: number;
}

/** Whose records one body was refused, and how many: of neighbouring records of a pair, only counters move. */
export class HeldBack {
  private readonly byPair = new Map<Pair, { -readonly [Name in keyof HeldBackPair]: HeldBackPair[Name] }>();
  private last: { -readonly [Name in keyof HeldBackPair]: HeldBackPair[Name] } | undefined;

  /** Within one body a pair has one reason. */
  add(pair: Pair, reason: HeldBackReason, bytes: number): void {
    let counts = this.last?.pair === pair ? this.last : this.byPair.get(pair);
    if (counts === undefined) this.byPair.set(pair, (counts = { pair, reason, records: 0, bytes: 0 }));
    this.last = counts;
    counts.records += 1;
    counts.bytes += bytes;
  }

  pairs(): Iterable<HeldBackPair> {
    return this.byPair.values();
  }
}
