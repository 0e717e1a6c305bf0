import type { PartitionReport } from "../actors/ports/backlogs.ts";

/** After so long without a report the clock of an owner is taken to have been set back. */
export const staleMillis = 5_000;

interface Entry {
  readonly report: PartitionReport;
  /** By a clock of this process that nobody sets. */
  readonly receivedMillis: number;
}

/** The newest report of each partition: the newest epoch, then the newest time. */
export class ReportBook {
  private readonly entries: Array<Entry | undefined>;

  constructor(partitions: number) {
    this.entries = Array.from({ length: partitions });
  }

  /** Whether it is newer than what was known. */
  accept(report: PartitionReport, receivedMillis: number): boolean {
    if (report.partition >= this.entries.length) return false;
    const known = this.entries[report.partition];
    if (known !== undefined && !isNewer(report, receivedMillis, known)) return false;
    this.entries[report.partition] = { report, receivedMillis };
    return true;
  }

  latest(partition: number): Entry | undefined {
    return this.entries[partition];
  }
}

const isNewer = (report: PartitionReport, receivedMillis: number, known: Entry): boolean => {
  if (report.epoch !== known.report.epoch) return report.epoch > known.report.epoch;
  if (report.millis > known.report.millis) return true;
  // One report with a time far in the future must not silence its owner for ever. A repetition is none the newer.
  return report.millis < known.report.millis && receivedMillis - known.receivedMillis > staleMillis;
};
