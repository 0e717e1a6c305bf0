import { Context, type Effect } from "effect";

/** What the owner of a partition tells forwarders, about once a second. */
export interface PartitionReport {
  readonly partition: number;
  /** Of the ownership: a report of an older one is worthless. */
  readonly epoch: number;
  /** When it was made, by the owner's clock, epoch millis. */
  readonly millis: number;
  /** Everything up to here was scanned. */
  readonly scanned: number;
  /** The log's own figures when the report was made. */
  readonly logFirst: number;
  readonly logLast: number;
  readonly logBytes: number;
  /** Bytes added to the log since the owner took it: grows with each report of an epoch. */
  readonly appendedBytes: number;
  /** Stored bytes that were not scanned yet: an estimate, exact at 0. */
  readonly unscannedBytes: number;
  /** JetStream time of the oldest message, epoch millis; undefined for an empty log. */
  readonly oldestMillis: number | undefined;
  /** Pairs (`customer.dataset`) whose backlog is over its quota: their records are refused. */
  readonly refusing: ReadonlyArray<string>;
}

/** Reports of the owners of all partitions, as far as they are known here. Publishing never waits for anybody. */
export class Backlogs extends Context.Service<
  Backlogs,
  {
    /** How many partitions there are. */
    readonly partitions: number;
    readonly publish: (report: PartitionReport) => Effect.Effect<void>;
    /** The newest report of a partition and when it came in here; undefined before the first. */
    readonly latest: (
      partition: number,
    ) => { readonly report: PartitionReport; readonly receivedMillis: number } | undefined;
  }
>()("spillway/actors/ports/Backlogs") {}
