import { setTimeout as sleep } from "node:timers/promises";
import { type BooksAnswer, readBooks, readTotals } from "./books.ts";
import type { CpuMeter } from "./cpu-meter.ts";
import type { Progress } from "./progress.ts";
import type { SendCounts } from "./sender.ts";
import type { SpillwayProcess } from "./spillway-process.ts";

export interface WatchOptions {
  readonly spillway: SpillwayProcess;
  readonly counts: SendCounts;
  readonly total: number;
  readonly startedMillis: number;
  readonly progress: Progress;
  readonly cpu: CpuMeter;
  /** Whether everything has been sent. */
  readonly isSent: () => boolean;
  readonly signal: AbortSignal;
}

const pollMillis = 250;

/** Deliveries that stand still for so long will not move any more: time for the check to say what is missing. */
const standstillMillisMax = 90_000;

/** Shows progress until the books say that all that was accepted is settled. Resolves with the last books. */
export const watchDeliveries = async (options: WatchOptions): Promise<BooksAnswer | undefined> => {
  const { counts, cpu, progress, spillway } = options;
  let movedMillis = performance.now();
  let delivered = 0;
  for (;;) {
    const sums = await readTotals(spillway.url);
    cpu.read(spillway.pid);
    const now = performance.now();
    if (sums !== undefined) {
      const totals = sums.books;
      // Not yet scanned records are in no job's books: backlog is what was acknowledged and is not settled.
      const backlog = Math.max(counts.accepted - totals.accepted.records, 0) + totals.pending.records;
      if (totals.delivered.records !== delivered || !options.isSent()) movedMillis = now;
      delivered = totals.delivered.records;
      progress.show({
        ...counts,
        total: options.total,
        delivered,
        backlog,
        seconds: (now - options.startedMillis) / 1_000,
      });
      if (options.isSent() && backlog === 0) return readBooks(spillway.url);
    }
    if (now - movedMillis > standstillMillisMax) {
      progress.say(`Nothing has been delivered for ${standstillMillisMax / 1_000} seconds: looking at what is there.`);
      return readBooks(spillway.url);
    }
    await sleep(pollMillis, undefined, { signal: options.signal });
  }
};
