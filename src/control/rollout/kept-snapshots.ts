/** A stored snapshot, as far as it matters for how long it is kept. */
export interface DatedSnapshot {
  readonly number: number;
  readonly createdMillis: number;
}

const hourMillis = 3_600_000;
const dayMillis = 24 * hourMillis;
/** The last one of each hour of a day, and of each day of two weeks. */
const slots = [
  { slotMillis: hourMillis, ageMillisMax: dayMillis },
  { slotMillis: dayMillis, ageMillisMax: 14 * dayMillis },
];

/**
 * Numbers of those that somebody may want to go back to, beside the newest few. Where many small changes follow one
 * another, each a snapshot, these alone would not reach back to yesterday.
 */
export const keptSnapshots = (stored: ReadonlyArray<DatedSnapshot>, nowMillis: number): ReadonlySet<number> => {
  const newestFirst = stored.toSorted((a, b) => b.number - a.number);
  const kept = new Set<number>();
  for (const { ageMillisMax, slotMillis } of slots) {
    const taken = new Set<number>();
    for (const { createdMillis, number } of newestFirst) {
      const slot = Math.floor(createdMillis / slotMillis);
      // A clock that was wrong makes it as young as can be.
      if (nowMillis - createdMillis > ageMillisMax || taken.has(slot)) continue;
      taken.add(slot);
      kept.add(number);
    }
  }
  return kept;
};
