/** What belongs to pairs, found by the pair of a chunk. A list is replaced, not changed, when something leaves it. */
export class ByPair<A> {
  private readonly lists = new Map<string, Array<A>>();

  get(pairKey: string): ReadonlyArray<A> {
    return this.lists.get(pairKey) ?? [];
  }

  /** undefined: nothing of this pair is here. */
  find(pairKey: string): ReadonlyArray<A> | undefined {
    return this.lists.get(pairKey);
  }

  all(): ReadonlyArray<A> {
    return [...this.lists.values()].flat();
  }

  add(pairKey: string, item: A): void {
    const same = this.lists.get(pairKey);
    if (same === undefined) this.lists.set(pairKey, [item]);
    else same.push(item);
  }

  /** Whoever goes through the list meanwhile goes on with the old one. */
  remove(pairKey: string, item: A): void {
    const left = this.get(pairKey).filter((each) => each !== item);
    if (left.length === 0) this.lists.delete(pairKey);
    else this.lists.set(pairKey, left);
  }
}
