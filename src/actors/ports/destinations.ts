import { Context, type Effect, type Scope } from "effect";
import type { BatchRef } from "../../domain/batch.ts";
import type { PushJob } from "../../domain/push-job.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";

/** One push: an attempt to deliver one batch. Identical on every attempt but for `attempt`. */
export interface PushRequest {
  readonly batch: BatchRef;
  /** Deterministic: `<incarnation>_<job>_<first>-<last>`. Sent as `Idempotency-Key` and as object metadata. */
  readonly batchId: string;
  /** First 8 hex digits of the SHA-256 of the batch id: the unique part of an object key. */
  readonly hex: string;
  /** 1-based. */
  readonly attempt: number;
  /** gzip members of newline-terminated records; their concatenation is a valid gzip file. */
  readonly body: ReadonlyArray<Uint8Array>;
  readonly bodyBytes: number;
  /** A person asked for these records again: said to the receiver, and part of an object's name. */
  readonly replay?: boolean;
}

/** The unique part of an object's name: shows a replay for what it is. */
export const uniquePartOf = ({ hex, replay }: PushRequest): string => (replay === true ? `${hex}_replay` : hex);

/** A push job's destination, ready to be pushed to. Holds connections; closed with its scope. */
export interface OpenDestination {
  /** Never fails: every expected result is an outcome, a defect is a bug. Interruption aborts the request. */
  readonly push: (request: PushRequest) => Effect.Effect<PushOutcome>;
  /** Where the batch goes, fit for a log line: an object key, a file name, a URL without query. */
  readonly locate: (request: PushRequest) => string;
  /** The host that this destination's requests share a concurrency limit with; `file` for local files. */
  readonly host: string;
}

/** Where batches leave the system. */
export class Destinations extends Context.Service<
  Destinations,
  {
    /** Never fails: settings that cannot work give a destination whose every push is `Rejected`. */
    readonly open: (job: PushJob) => Effect.Effect<OpenDestination, never, Scope.Scope>;
  }
>()("spillway/actors/ports/Destinations") {}
