import type { BatchRef } from "./batch.ts";
import type { PushOutcome } from "./push-outcome.ts";

/** One attempt of a batch, as the shell is told to begin it. */
export interface PushInput {
  readonly job: string;
  readonly batch: BatchRef;
  /** 1-based. */
  readonly attempt: number;
}

/** An attempt that has its answer. */
export interface PushReport {
  readonly batch: BatchRef;
  /** 1-based. */
  readonly attempt: number;
  readonly answer: PushAnswer;
  readonly nextDelayMillis: number;
}

/** The outcome, with the time and the jitter that the machine may not ask for itself. */
export interface PushAnswer {
  readonly outcome: PushOutcome;
  readonly nowMillis: number;
  /** Uniform in [0, 1). */
  readonly jitter: number;
  readonly durationMillis: number;
  readonly bodyBytes: number;
}
