import { fnv1a32, mixed } from "./partition.ts";

/** Index columns of an entry: hash of the key, where its bytes begin, and how many they are (key and value). */
const stride = 3;
const bytesAtFirst = 512;
const entriesAtFirst = 4;

/** Some of the entries, as bytes one after the other. Written by whoever's token it carries, and by nobody else. */
interface Segment {
  token: object;
  index: Int32Array;
  entries: number;
  data: Buffer;
  used: number;
  /** Bytes of entries that were replaced or deleted. */
  dead: number;
}

/**
 * Byte strings by key, for hundreds of thousands of them: no object for each, a dozen bytes of index beside its own.
 *
 * Entries are spread over segments by the hash of their keys. A `snapshot` shares the segments with its origin, and
 * whoever is changed afterwards copies the segment that the change is in, and no other: a change costs one segment's
 * bytes, whatever the size of the whole. Keys are Latin-1, of at most 255 characters. Values that are given out are
 * views that stay as they are.
 */
export class KeyedBytes {
  private readonly segmentBits: number;
  private readonly segments: Array<Segment | undefined>;
  private token: object = {};
  private count = 0;

  /** @param segmentBits the binary logarithm of the number of segments: some hundred entries each are a good number */
  constructor(segmentBits: number, segments?: Array<Segment | undefined>) {
    this.segmentBits = segmentBits;
    this.segments = segments ?? Array.from({ length: 2 ** segmentBits }, () => undefined);
  }

  get size(): number {
    return this.count;
  }

  get(key: string): Buffer | undefined {
    const hash = fnv1a32(key) | 0;
    const segment = this.segments[this.place(hash)];
    if (segment === undefined) return undefined;
    const at = find(segment, hash, key);
    return at === undefined ? undefined : valueAt(segment, at);
  }

  has(key: string): boolean {
    const hash = fnv1a32(key) | 0;
    const segment = this.segments[this.place(hash)];
    return segment !== undefined && find(segment, hash, key) !== undefined;
  }

  set(key: string, value: Uint8Array): void {
    const hash = fnv1a32(key) | 0;
    const segment = this.own(this.place(hash));
    const before = find(segment, hash, key);
    if (before !== undefined) drop(segment, before);
    else this.count += 1;
    append(segment, hash, key, value);
  }

  /** Whether there was one. */
  delete(key: string): boolean {
    const hash = fnv1a32(key) | 0;
    const place = this.place(hash);
    const shared = this.segments[place];
    if (shared === undefined || find(shared, hash, key) === undefined) return false;
    const segment = this.own(place);
    drop(segment, find(segment, hash, key)!);
    this.count -= 1;
    return true;
  }

  /** In no particular order. What is set or deleted meanwhile may or may not be met. */
  *entries(): Generator<[key: string, value: Buffer]> {
    for (const segment of this.segments) if (segment !== undefined) yield* entriesOf(segment);
  }

  /** Like `entries`, without making views of the values. */
  *keys(): Generator<string> {
    for (const segment of this.segments) if (segment !== undefined) yield* keysOf(segment);
  }

  /** The entries as they are now, for whoever must not see later changes. */
  snapshot(): KeyedBytes {
    const copy = new KeyedBytes(this.segmentBits, this.segments.slice());
    copy.count = this.count;
    // From here on neither may write into what both have.
    this.token = {};
    return copy;
  }

  /** Gives back what segments have in reserve: after many entries have come and few more are expected. */
  trim(): void {
    this.segments.forEach((segment, place) => {
      if (segment !== undefined && segment.used * 1.1 < segment.data.length)
        this.segments[place] = copyOf(segment, this.token, 0);
    });
  }

  /** Keys that differ, or may differ, between two of a common origin: all keys of segments that they do not share. */
  *differing(other: KeyedBytes): Generator<string> {
    for (let place = 0; place < this.segments.length; place++) {
      const here = this.segments[place];
      const there = other.segments[place];
      if (here === there) continue;
      const seen = new Map<string, Buffer>(here === undefined ? [] : entriesOf(here));
      for (const [key, value] of there === undefined ? [] : entriesOf(there)) {
        const mine = seen.get(key);
        if (mine === undefined || !mine.equals(value)) yield key;
        seen.delete(key);
      }
      yield* seen.keys();
    }
  }

  private place(hash: number): number {
    return mixed(hash) >>> (32 - this.segmentBits);
  }

  private own(place: number): Segment {
    const segment = this.segments[place];
    if (segment?.token === this.token) return segment;
    const own = segment === undefined ? emptySegment(this.token) : copyOf(segment, this.token, bytesAtFirst);
    this.segments[place] = own;
    return own;
  }
}

const emptySegment = (token: object): Segment => ({
  token,
  index: new Int32Array(entriesAtFirst * stride),
  entries: 0,
  data: Buffer.allocUnsafeSlow(bytesAtFirst),
  used: 0,
  dead: 0,
});

/** Without what is dead. */
const copyOf = (segment: Segment, token: object, reserve: number): Segment => {
  const { entries, index } = segment;
  const data = Buffer.allocUnsafeSlow(segment.used - segment.dead + reserve);
  const copied = new Int32Array((reserve === 0 ? entries : entries + (entries >> 2) + entriesAtFirst) * stride);
  let used = 0;
  for (let at = 0; at < entries * stride; at += stride) {
    const from = index[at + 1]!;
    copied[at] = index[at]!;
    copied[at + 1] = used;
    copied[at + 2] = index[at + 2]!;
    used += segment.data.copy(data, used, from, from + index[at + 2]!);
  }
  return { token, index: copied, entries, data, used, dead: 0 };
};

/** Where the key's entry is in the index. */
const find = ({ data, entries, index }: Segment, hash: number, key: string): number | undefined => {
  const end = entries * stride;
  for (let at = 0; at < end; at += stride) {
    if (index[at] === hash && isKey(data, index[at + 1]!, key)) return at;
  }
  return undefined;
};

const isKey = (data: Buffer, from: number, key: string): boolean => {
  if (data[from] !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (data[from + 1 + i] !== key.charCodeAt(i)) return false;
  return true;
};

const valueAt = ({ data, index }: Segment, at: number): Buffer => {
  const from = index[at + 1]!;
  return data.subarray(from + 1 + data[from]!, from + index[at + 2]!);
};

function* entriesOf(segment: Segment): Generator<[key: string, value: Buffer]> {
  for (let at = 0; at < segment.entries * stride; at += stride) {
    const from = segment.index[at + 1]!;
    yield [segment.data.toString("latin1", from + 1, from + 1 + segment.data[from]!), valueAt(segment, at)];
  }
}

function* keysOf({ data, entries, index }: Segment): Generator<string> {
  for (let at = 0; at < entries * stride; at += stride) {
    const from = index[at + 1]!;
    yield data.toString("latin1", from + 1, from + 1 + data[from]!);
  }
}

const drop = (segment: Segment, at: number): void => {
  const { index } = segment;
  segment.dead += index[at + 2]!;
  segment.entries -= 1;
  index.copyWithin(at, segment.entries * stride, (segment.entries + 1) * stride);
};

const append = (segment: Segment, hash: number, key: string, value: Uint8Array): void => {
  if (key.length > 255) throw new RangeError(`a key of ${key.length} characters`);
  const length = 1 + key.length + value.length;
  makeRoom(segment, length);
  const at = segment.entries * stride;
  segment.index[at] = hash;
  segment.index[at + 1] = segment.used;
  segment.index[at + 2] = length;
  segment.entries += 1;
  segment.data[segment.used] = key.length;
  segment.data.write(key, segment.used + 1, "latin1");
  segment.data.set(value, segment.used + 1 + key.length);
  segment.used += length;
};

/** Views of the old bytes stay what they were: those are left behind, never moved within. */
const makeRoom = (segment: Segment, length: number): void => {
  if ((segment.entries + 1) * stride > segment.index.length) {
    const grown = new Int32Array(Math.max(entriesAtFirst * stride, segment.entries * stride * 2));
    grown.set(segment.index.subarray(0, segment.entries * stride));
    segment.index = grown;
  }
  if (segment.used + length <= segment.data.length) return;
  const live = segment.used - segment.dead;
  const { data, index, used } = copyOf(segment, segment.token, Math.max(bytesAtFirst, length, live >> 1));
  segment.data = data;
  segment.index = index;
  segment.used = used;
  segment.dead = 0;
};
