import type { PartitionReport } from "../actors/ports/backlogs.ts";

export interface PressureLimits {
  readonly logBytesMax: number;
  readonly unscannedPercentMax: number;
  readonly retentionSecondsMin: number;
}

/** Rates are means over about so many seconds: a burst that is over soon shortens nobody's retention. */
const rateSeconds = 60;
/** Raw bytes after which it is known what they become in the log. */
const ratioBytesMin = 1_048_576;
const ratioMin = 0.01;

/** What one partition's log can still take, as its owner's last report and this door's own publishing tell. */
export class PartitionPressure {
  private readonly limits: PressureLimits;
  private report: PartitionReport | undefined;
  /** Raw bytes that this door has ever handed over for the partition, and those of them that are settled. */
  private offeredBytes = 0;
  private settledBytes = 0;
  /** `settledBytes` when the report came: what was handed over after that is not in it. */
  private reportedBytes = 0;
  /** Stored bytes per raw byte. At first as if nothing compressed: the safe side. */
  private ratio = 1;
  private ratioRaw = 0;
  private ratioStored = 0;
  /** Stored bytes a second, of all forwarders; undefined until two reports of one owner are there. */
  private storedPerSecond: number | undefined;

  constructor(limits: PressureLimits) {
    this.limits = limits;
  }

  /** Records were handed to the outbox. */
  offered(bytes: number): void {
    this.offeredBytes += bytes;
  }

  /** The outbox has answered, however: what it did not store in time it still stores, soon. */
  settled(bytes: number): void {
    this.settledBytes += bytes;
  }

  /** Takes a newer report in; the same again changes nothing. */
  learn(report: PartitionReport | undefined): void {
    const before = this.report;
    if (report === undefined || report === before) return;
    if (before !== undefined && before.epoch === report.epoch) this.compare(before, report);
    this.report = report;
    this.reportedBytes = this.settledBytes;
  }

  isRefused(pairKey: string): boolean {
    return this.refusedPairs.has(pairKey);
  }

  hasRefused(): boolean {
    return this.refusedPairs.size > 0;
  }

  /**
   * Whether what no owner has read comes too near to what the log holds. Without any report nothing is known, and
   * nobody is refused; with an old one, what this door has published since counts on top.
   */
  isFull(): boolean {
    if (this.report === undefined) return false;
    const since = (this.offeredBytes - this.reportedBytes) * this.ratio;
    const { logBytesMax, unscannedPercentMax } = this.limits;
    return this.report.unscannedBytes + since >= (logBytesMax * unscannedPercentMax) / 100;
  }

  /** Which part of the present publish rate keeps the promised retention; 1: all of it. */
  sustainableShare(): number {
    if (this.storedPerSecond === undefined) return 1;
    const sustainable = this.limits.logBytesMax / this.limits.retentionSecondsMin;
    return this.storedPerSecond <= sustainable ? 1 : sustainable / this.storedPerSecond;
  }

  private refused: { readonly of: ReadonlyArray<string>; readonly keys: ReadonlySet<string> } | undefined;

  private get refusedPairs(): ReadonlySet<string> {
    const refusing = this.report?.refusing;
    if (refusing === undefined) return noPairs;
    if (this.refused?.of !== refusing) this.refused = { of: refusing, keys: new Set(refusing) };
    return this.refused.keys;
  }

  private compare(before: PartitionReport, report: PartitionReport): void {
    const seconds = (report.millis - before.millis) / 1_000;
    const stored = report.appendedBytes - before.appendedBytes;
    if (seconds <= 0 || stored < 0) return;
    const weight = 1 - Math.exp(-seconds / rateSeconds);
    // From 0, not from the first rate seen: the mean over the whole time, of which only this much is known.
    this.storedPerSecond = (this.storedPerSecond ?? 0) * (1 - weight) + (stored / seconds) * weight;
    this.ratioRaw += this.settledBytes - this.reportedBytes;
    this.ratioStored += stored;
    if (this.ratioRaw < ratioBytesMin) return;
    // Others' bytes are in what was stored: with them the ratio is too high, which is the safe side again.
    this.ratio = Math.min(1, Math.max(ratioMin, this.ratioStored / this.ratioRaw));
    this.ratioRaw /= 2;
    this.ratioStored /= 2;
  }
}

const noPairs: ReadonlySet<string> = new Set();
