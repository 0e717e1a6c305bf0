/** A part of a list that is ordered by id. */
export interface IdPage<A> {
  readonly items: ReadonlyArray<A>;
  /** The id of the last item, when there is more: the next page begins after it. */
  readonly next: string | undefined;
}

/**
 * The first `limit` items, and whether there is another one: a page that happens to be full is not taken for more.
 *
 * @param entries ordered by id; only as many are taken as are needed
 */
export const idPageOf = <A>(entries: Iterable<readonly [id: string, item: A]>, limit: number): IdPage<A> => {
  const items: Array<A> = [];
  let last: string | undefined;
  for (const [id, item] of entries) {
    if (items.length === limit) return { items, next: last };
    items.push(item);
    last = id;
  }
  return { items, next: undefined };
};
