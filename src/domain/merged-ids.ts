/** Ids of several ordered sources in one order: each id once, with the places of the sources that have it. */
export function* mergedIds(
  sources: ReadonlyArray<Iterable<string>>,
): Generator<readonly [id: string, places: ReadonlyArray<number>]> {
  const iterators = sources.map((source) => source[Symbol.iterator]());
  const heads = iterators.map((iterator) => headOf(iterator));
  for (;;) {
    let id: string | undefined;
    for (const head of heads) if (head !== undefined && (id === undefined || head < id)) id = head;
    if (id === undefined) return;
    const places: Array<number> = [];
    for (const [place, head] of heads.entries()) {
      if (head !== id) continue;
      places.push(place);
      heads[place] = headOf(iterators[place]!);
    }
    yield [id, places];
  }
}

const headOf = (iterator: Iterator<string>): string | undefined => {
  const next = iterator.next();
  return next.done === true ? undefined : next.value;
};
