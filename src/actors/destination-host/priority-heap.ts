/** What a {@link PriorityHeap} holds; the place is the heap's own. */
export interface HeapItem {
  /** Where the item is in its heap; -1 when it is in none. */
  heapPlace: number;
}

/** A binary heap whose items know their place: the least is at hand, and any can be taken out, in O(log n). */
export class PriorityHeap<A extends HeapItem> {
  private readonly items: Array<A> = [];
  private readonly isBefore: (one: A, other: A) => boolean;

  constructor(isBefore: (one: A, other: A) => boolean) {
    this.isBefore = isBefore;
  }

  get size(): number {
    return this.items.length;
  }

  first(): A | undefined {
    return this.items[0];
  }

  /** In no particular order. */
  all(): ReadonlyArray<A> {
    return this.items;
  }

  add(item: A): void {
    this.items.push(item);
    this.rise(this.items.length - 1, item);
  }

  remove(item: A): void {
    const place = item.heapPlace;
    if (place < 0) return;
    item.heapPlace = -1;
    const last = this.items.pop()!;
    if (last === item) return;
    this.rise(place, last);
    this.sink(last.heapPlace, last);
  }

  private rise(from: number, item: A): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.items[above]!;
      if (!this.isBefore(item, other)) break;
      this.put(place, other);
      place = above;
    }
    this.put(place, item);
  }

  private sink(from: number, item: A): void {
    let place = from;
    const { items } = this;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.isBefore(items[below + 1]!, items[below]!)) below += 1;
      const other = items[below]!;
      if (!this.isBefore(other, item)) break;
      this.put(place, other);
      place = below;
    }
    this.put(place, item);
  }

  private put(place: number, item: A): void {
    this.items[place] = item;
    item.heapPlace = place;
  }
}
