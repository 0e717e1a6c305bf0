import type { BatchRef } from "./batch.ts";
import type { Tally } from "./books.ts";
import type { PushOutcome } from "./push-outcome.ts";

/** One attempt of a batch, as the shell is told to begin it. */
export interface PushInput {
  readonly job: string;
  readonly batch: BatchRef;
  /** 1-based. */
  readonly attempt: number;
  /** Records of the batch, 0-based, `to` excluded, while it is being bisected; null: all of it. */
  readonly part: { readonly from: number; readonly to: number } | null;
}

/** A record that the destination refused alone, as the shell is told to store it. */
export interface DeadLetterInput {
  readonly job: string;
  readonly batch: BatchRef;
  /** 0-based, in the batch. */
  readonly index: number;
  readonly refusal: Refusal;
}

/** What a destination said. */
export interface Refusal {
  /** Of a closed set. */
  readonly reason: string;
  /** For people: one line, no credential, no record. */
  readonly detail: string;
  readonly status: number | null;
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
  /** What the encoder wrote of the batch's records, and their uncompressed bytes: the books' other side. */
  readonly written: Tally;
}
