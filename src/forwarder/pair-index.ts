import type { JobSet } from "../actors/ports/jobs.ts";
import { type Pair, pairKey } from "../domain/partition.ts";
import type { CustomerField } from "./customer-field.ts";

/** An id is at most as long, and a cache line is exactly as long. */
const idBytesMax = 64;
const slotsAtFirst = 64;
/** A customer whose place is taken so often is looked up by its name instead. */
const probesMax = 16;
/** Of a million customers few send in any one minute: with more than so many, remembering begins anew. */
const rememberedMax = 65_536;

/** Whose records a body holds, and whether they are wanted: undefined when not. */
export type PairLookup = Pick<PairIndex, "ofId" | "ofField">;

/**
 * The pairs of one dataset in one set of push jobs, by customer. A customer that was looked up once by its name is
 * found
 * by its bytes from then on: making a string of each record's customer is most of what a mixed body would cost. Only
 * pairs of the set are remembered, so that strangers cannot make it grow.
 */
export class PairIndex {
  private readonly pairs: JobSet["pairs"];
  private readonly dataset: string;
  /** Per slot: hash, and 1 + the number of the remembered pair, or 0. Never more than half full. */
  private slots = new Int32Array(0);
  private remembered: Array<Pair> = [];
  private hashes: Array<number> = [];
  private ids = Buffer.alloc(0);

  private readonly onSeen: (pair: Pair) => void;

  /** @param onSeen told of each pair that is looked up by name: the first time, and seldom again */
  constructor(pairs: JobSet["pairs"], dataset: string, onSeen: (pair: Pair) => void = () => {}) {
    this.pairs = pairs;
    this.dataset = dataset;
    this.onSeen = onSeen;
  }

  ofId(customer: string): Pair | undefined {
    const pair = this.pairs.get(pairKey(customer, this.dataset));
    if (pair !== undefined) this.onSeen(pair);
    return pair;
  }

  /** Of the customer that the field holds now. */
  ofField(field: CustomerField): Pair | undefined {
    if (field.text !== undefined) return this.ofId(field.text);
    const known = this.recall(field);
    if (known !== undefined) return known;
    const pair = this.ofId(field.id());
    if (pair !== undefined) this.remember(pair, field.hash);
    return pair;
  }

  private recall({ body, from, hash, to }: CustomerField): Pair | undefined {
    const { slots } = this;
    const mask = slots.length / 2 - 1;
    for (let probe = 0; probe < probesMax && probe <= mask; probe++) {
      const slot = ((hash + probe) & mask) * 2;
      const number = slots[slot + 1]!;
      if (number === 0) return undefined;
      if (slots[slot] === hash) {
        const pair = this.remembered[number - 1]!;
        if (pair.customer.length === to - from && this.isId(number - 1, body, from, to)) return pair;
      }
    }
    return undefined;
  }

  private isId(number: number, body: Buffer, from: number, to: number): boolean {
    const { ids } = this;
    for (let at = number * idBytesMax, i = from; i < to; at++, i++) if (ids[at] !== body[i]) return false;
    return true;
  }

  private remember(pair: Pair, hash: number): void {
    if (this.remembered.length >= rememberedMax) this.forget();
    const number = this.remembered.length;
    if ((number + 1) * 4 > this.slots.length) this.grow();
    if (!this.place(hash, number)) return;
    this.remembered.push(pair);
    this.hashes.push(hash);
    this.ids.write(pair.customer, number * idBytesMax, "latin1");
  }

  private forget(): void {
    this.slots = new Int32Array(0);
    this.remembered = [];
    this.hashes = [];
    this.ids = Buffer.alloc(0);
  }

  /** False when all places for this hash are taken. */
  private place(hash: number, number: number): boolean {
    const mask = this.slots.length / 2 - 1;
    for (let probe = 0; probe < probesMax; probe++) {
      const slot = ((hash + probe) & mask) * 2;
      if (this.slots[slot + 1] !== 0) continue;
      this.slots[slot] = hash;
      this.slots[slot + 1] = number + 1;
      return true;
    }
    return false;
  }

  /** Twice the places. Who finds none in the new order is forgotten and looked up by name again. */
  private grow(): void {
    const slots = Math.max(slotsAtFirst, this.slots.length);
    this.slots = new Int32Array(slots * 2);
    const ids = Buffer.alloc((slots / 2) * idBytesMax);
    this.ids.copy(ids);
    this.ids = ids;
    this.hashes.forEach((hash, number) => this.place(hash, number));
  }
}

/** Datasets whose pairs are remembered; in more than these, each request looks its customers up by name. */
const datasetsMax = 256;

/** The indexes of the set of push jobs in force. A changed set starts anew. */
export class PairIndexes {
  private pairs: JobSet["pairs"] | undefined;
  private byDataset = new Map<string, PairIndex>();
  private readonly onSeen: ((pair: Pair) => void) | undefined;

  constructor(onSeen?: (pair: Pair) => void) {
    this.onSeen = onSeen;
  }

  of({ pairs }: JobSet, dataset: string): PairIndex {
    if (pairs !== this.pairs) {
      this.pairs = pairs;
      this.byDataset = new Map();
    }
    let index = this.byDataset.get(dataset);
    if (index !== undefined) return index;
    index = new PairIndex(pairs, dataset, this.onSeen);
    if (this.byDataset.size < datasetsMax) this.byDataset.set(dataset, index);
    return index;
  }
}
