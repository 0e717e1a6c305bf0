/** What is said of one replay, while it runs and after it: plain JSON. */
export interface ReplayReport {
  /** Its name: part of every batch id, so the same replay begun again pushes the same ranges under the same ids. */
  readonly id: string;
  readonly job: string;
  readonly customer: string;
  readonly dataset: string;
  readonly partition: number;
  readonly state: ReplayState;
  /** The range of the log, both ends included. */
  readonly from: number;
  readonly to: number;
  /** Everything up to here was pushed: to go on after a failure, begin with the next one, under the same name. */
  readonly sequence: number;
  /** Of the range, 0 to 100. */
  readonly percent: number;
  /** Delivered by this replay; the job's books do not change. */
  readonly records: number;
  readonly bytes: number;
  readonly batches: number;
  /** Refused by the destination one by one, and passed over. */
  readonly recordsRefused: number;
  /** What the person who asked for it should know: ranges that were cut, records that have expired. */
  readonly warnings: ReadonlyArray<string>;
  readonly startedMillis: number;
  readonly endedMillis: number | null;
  /** The last attempt that was not delivered: one line, no credential, no record. */
  readonly lastError: string | null;
  /** Epoch millis of the attempt that is waited for. */
  readonly nextAttemptMillis: number | null;
}

export type ReplayState = "running" | "done" | "failed" | "cancelled";

/** One replay's own tally, as it goes. */
export class ReplayProgress {
  sequence: number;
  records = 0;
  bytes = 0;
  batches = 0;
  recordsRefused = 0;
  state: ReplayState = "running";
  endedMillis: number | null = null;
  lastError: string | null = null;
  nextAttemptMillis: number | null = null;
  readonly warnings: Array<string>;
  private readonly fixed: Pick<ReplayReport, "id" | "job" | "customer" | "dataset" | "partition" | "from" | "to">;
  private readonly startedMillis: number;

  constructor(fixed: ReplayProgress["fixed"], startedMillis: number, warnings: ReadonlyArray<string>) {
    this.fixed = fixed;
    this.startedMillis = startedMillis;
    this.sequence = fixed.from - 1;
    this.warnings = [...warnings];
  }

  report(): ReplayReport {
    const { from, to } = this.fixed;
    const { batches, bytes, endedMillis, lastError, nextAttemptMillis, records, recordsRefused, sequence } = this;
    const percent = Math.floor((100 * (sequence - from + 1)) / (to - from + 1));
    return {
      ...this.fixed,
      state: this.state,
      sequence,
      percent,
      records,
      bytes,
      batches,
      recordsRefused,
      warnings: [...this.warnings],
      startedMillis: this.startedMillis,
      endedMillis,
      lastError,
      nextAttemptMillis,
    };
  }
}
