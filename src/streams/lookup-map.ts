/** A map that makes its values when they are asked for, over something that knows keys. It never changes. */
export class LookupMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  private readonly find: (key: string) => V | undefined;
  private readonly all: () => Iterable<readonly [string, V]>;

  constructor(size: number, find: (key: string) => V | undefined, all: () => Iterable<readonly [string, V]>) {
    this.size = size;
    this.find = find;
    this.all = all;
  }

  get(key: string): V | undefined {
    return this.find(key);
  }

  has(key: string): boolean {
    return this.find(key) !== undefined;
  }

  *entries(): MapIterator<[string, V]> {
    for (const [key, value] of this.all()) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.all()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.all()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(each: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.all()) each(value, key, this);
  }
}
