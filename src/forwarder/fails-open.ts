import type { Pair } from "../domain/partition.ts";
import { makePair } from "../domain/partition.ts";
import type { PairLookup } from "./pair-index.ts";

/** Then it begins anew: whoever sends is no reason to grow for ever, not even in a drill. */
const strangersMax = 65_536;

/**
 * What forwarders did on 14 November 2024, for a drill to do it again: whoever has no push job is taken for somebody
 * who has one. Nobody else finds another pair than before.
 */
export class FailsOpen {
  private readonly partitions: number;
  /** The same pair each time: what gathers for the log tells pairs apart by their objects. */
  private readonly strangers = new Map<string, Pair>();

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  over(index: PairLookup, dataset: string): PairLookup {
    return {
      ofId: (customer) => index.ofId(customer) ?? this.stranger(customer, dataset),
      ofField: (field) => index.ofField(field) ?? this.stranger(field.text ?? field.id(), dataset),
    };
  }

  private stranger(customer: string, dataset: string): Pair {
    const pair = makePair(customer, dataset, this.partitions);
    const known = this.strangers.get(pair.key);
    if (known !== undefined) return known;
    if (this.strangers.size >= strangersMax) this.strangers.clear();
    this.strangers.set(pair.key, pair);
    return pair;
  }
}
