/**
 * How many kill switches of each kind are on, in memory that both threads can see: `/healthz` of the control address
 * shows them while the main thread is stuck, too.
 */
export interface SwitchCounts {
  readonly kinds: ReadonlyArray<string>;
  /** One 32-bit number per kind. */
  readonly memory: SharedArrayBuffer;
}

export const newSwitchCounts = (kinds: ReadonlyArray<string>): SwitchCounts => ({
  kinds,
  memory: new SharedArrayBuffer(kinds.length * Int32Array.BYTES_PER_ELEMENT),
});

export const setSwitchCount = ({ kinds, memory }: SwitchCounts, kind: string, count: number): void => {
  const at = kinds.indexOf(kind);
  if (at !== -1) Atomics.store(new Int32Array(memory), at, count);
};

/** By kind, those that are not 0; undefined: none is on. */
export const switchCountsOf = ({ kinds, memory }: SwitchCounts): Readonly<Record<string, number>> | undefined => {
  const counts = new Int32Array(memory);
  const on = kinds.map((kind, at) => [kind, Atomics.load(counts, at)] as const).filter(([, count]) => count > 0);
  return on.length === 0 ? undefined : Object.fromEntries(on);
};
