import { type BufferEvent, bufferMachine, type BufferInput } from "../../../src/actors/buffer/machine.ts";
import type { SnapshotFrom } from "xstate";
import type { BatchRef } from "../../../src/domain/batch.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../../src/domain/push-outcome.ts";

export type BufferSnapshot = SnapshotFrom<typeof bufferMachine>;

export const input: BufferInput = {
  job: "job-1",
  retryBaseMillis: 100,
  retryMillisMax: 10_000,
  oldRevisionAttemptsMax: 2,
};

export const batch: BatchRef = {
  first: 3,
  last: 9,
  records: 12,
  bytes: 340,
  startMillis: 1_000,
  endMillis: 5_000,
  closedBy: "time",
};

export const nowMillis = 1_732_000_000_000;

/** What the push in flight answers; `eventOf` puts its attempt in. */
const answered = (outcome: PushOutcome) => ({
  type: "push.answered" as const,
  attempt: 1,
  answer: { outcome, nowMillis, jitter: 0.5, durationMillis: 20, bodyBytes: 99 },
});

/** Everything that can happen to a buffer, its timer and the answers of its push included. */
export const alphabet = {
  "window.filled": { type: "window.filled" },
  "window.dropped": { type: "window.dropped" },
  "batch.closed": { type: "batch.closed", batch },
  "buffer.lagged": { type: "buffer.lagged" },
  "buffer.caughtUp": { type: "buffer.caughtUp" },
  "job.revised": { type: "job.revised" },
  "buffer.resumed": { type: "buffer.resumed", nowMillis },
  "buffer.drain": { type: "buffer.drain" },
  "after backoff": { type: "xstate.after.backoff.buffer.delivery.backingOff" },
  Delivered: answered(delivered(200)),
  "Deferred, definite": answered(deferred("throttled", "429", { status: 429, ambiguous: false })),
  "Deferred, ambiguous": answered(deferred("timeout", "no answer")),
  Rejected: answered(rejected("forbidden", "403", 403)),
  "stale answer": { ...answered(delivered(200)), attempt: 0 },
  "push.died": { type: "push.died", attempt: 1, cause: "a defect" },
} as const;

export type EventName = keyof typeof alphabet;
export const eventNames = Object.keys(alphabet) as ReadonlyArray<EventName>;
/** @param failures failed attempts so far: an answer is one of the attempt in flight, but for the stale one */
export const eventOf = (name: EventName, failures: number): BufferEvent => {
  const event = alphabet[name];
  const isOfPush = "attempt" in event && event.attempt > 0;
  return (isOfPush ? { ...event, attempt: failures + 1 } : event) as unknown as BufferEvent;
};

/** What holds in every state of a buffer, by the numbers of SPEC.md. Answers the broken ones. */
export const brokenInvariants = ({ context, value }: BufferSnapshot): ReadonlyArray<string> => {
  const { ambiguous, backoffMillis, batch: held, failures, failuresSinceRevised, retryAtMillis, revised } = context;
  const { delivery } = value;
  const holds: Record<string, boolean> = {
    "M1 a batch is in the balance while pushing and backing off, and never in idle or filling":
      delivery === "draining" || (held !== null) === (delivery === "pushing" || delivery === "backingOff"),
    "M2 without a batch nothing is remembered of one":
      held !== null ||
      (failures === 0 && failuresSinceRevised === 0 && !ambiguous && retryAtMillis === 0 && backoffMillis === 0),
    "M3 failures are counted up from 0, and those since a revision are among them":
      failures >= 0 && failuresSinceRevised >= 0 && failuresSinceRevised <= failures,
    "M4 a backoff begins with a failure and has an end":
      delivery !== "backingOff" || (failures >= 1 && backoffMillis <= 3_600_000 && retryAtMillis > 0),
    "M5 a superseded revision is given up after a bounded number of attempts, and at once when none may have landed":
      !(delivery === "backingOff" && revised) || (ambiguous && failuresSinceRevised < context.oldRevisionAttemptsMax),
    "M6 a revision waits only for a batch": !revised || held !== null,
  };
  return Object.entries(holds).flatMap(([name, isHeld]) => (isHeld ? [] : [name]));
};
