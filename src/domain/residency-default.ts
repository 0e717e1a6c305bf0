/** What a resident buffer takes: actor, window, ledger, and its place in the maps (measured: 18 to 22 KB). */
const residentBytes = 24_576;
const memoryShare = 0.25;
const heapShare = 0.4;
/** What any node is good for, and what none needs more than. */
export const residentBuffersBounds = { least: 1_000, most: 250_000 };

/**
 * How many buffers a node may have in memory at once, when nobody says: a quarter of the memory that it may use, and
 * less than half of what the JavaScript heap may grow to.
 *
 * @param memoryBytes of the machine, or of the container when that is less
 * @param heapBytesMax the limit of the JavaScript heap
 */
export const residentBuffersDefault = (memoryBytes: number, heapBytesMax: number): number => {
  const bytes = Math.min(memoryBytes * memoryShare, heapBytesMax * heapShare);
  return Math.max(residentBuffersBounds.least, Math.min(residentBuffersBounds.most, Math.floor(bytes / residentBytes)));
};
