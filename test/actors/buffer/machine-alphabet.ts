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
  suspendedProbeMillis: 60_000,
  unresolvedFailuresMax: 2,
  deadLettersInRowMax: 2,
};

export const batch: BatchRef = {
  first: 3,
  last: 9,
  records: 3,
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
  answer: { outcome, nowMillis, jitter: 0.5, durationMillis: 20, bodyBytes: 99, written: { records: 1, bytes: 10 } },
});

/** Everything that can happen to a buffer, its timer and the answers of its push included. */
export const alphabet = {
  "window.filled": { type: "window.filled" },
  "window.dropped": { type: "window.dropped" },
  "batch.closed": { type: "batch.closed", batch },
  "buffer.lagged": { type: "buffer.lagged" },
  "buffer.caughtUp": { type: "buffer.caughtUp" },
  "backlog.exceeded, refuse": { type: "backlog.exceeded", policy: "refuse" },
  "backlog.exceeded, shedOldest": { type: "backlog.exceeded", policy: "shedOldest" },
  "backlog.eased": { type: "backlog.eased" },
  "cursor.moved": { type: "cursor.moved" },
  "row.written": { type: "row.written" },
  "deadLetter.stored": { type: "deadLetter.stored", written: { records: 1, bytes: 10 }, nowMillis, jitter: 0.5 },
  "deadLetter.refused": { type: "deadLetter.refused", detail: "full", nowMillis, jitter: 0.5 },
  "deadLetter.died": { type: "deadLetter.died", cause: "a defect" },
  "buffer.resume": { type: "buffer.resume" },
  "buffer.quarantine": { type: "buffer.quarantine" },
  "job.revised": { type: "job.revised" },
  "buffer.resumed": { type: "buffer.resumed", nowMillis },
  "buffer.drain": { type: "buffer.drain" },
  "after backoff": { type: "xstate.after.backoff.buffer.delivery.backingOff" },
  "after probe": { type: "xstate.after.probe.buffer.delivery.suspended" },
  Delivered: answered(delivered(200)),
  "Deferred, definite": answered(deferred("throttled", "429", { status: 429, ambiguous: false })),
  "Deferred, ambiguous": answered(deferred("timeout", "no answer")),
  "Deferred, unresolved": answered(deferred("dns", "ENOTFOUND", { ambiguous: false })),
  "Deferred, circuit open": answered(
    deferred("circuit-open", "not tried", { ambiguous: false, retryAfterMillis: 2_000 }),
  ),
  "Rejected, settings": answered(rejected("forbidden", "403", 403)),
  "Rejected, data": answered(rejected("data", "422", 422)),
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

/** States in which a batch is in the balance. */
const withBatch = ["pushing", "backingOff", "suspended", "bisecting", "deadLettering"];
/** States in which there may be one. */
const withOrWithout = ["quarantined", "draining"];

/** What holds in every state of a buffer, by the numbers of SPEC.md. Answers the broken ones. */
export const brokenInvariants = ({ context, value }: BufferSnapshot): ReadonlyArray<string> => {
  const { ambiguous, backoffMillis, batch: held, bisection, failures, failuresSinceRevised, refusal } = context;
  const { delivery } = value;
  const { retryAtMillis, revised } = context;
  const settled = bisection === null ? 0 : bisection.delivered.records + bisection.dead.records;
  const holds: Record<string, boolean> = {
    "M1 a batch is in the balance where the states say so, and nowhere else":
      withOrWithout.includes(delivery) || (held !== null) === withBatch.includes(delivery),
    "M2 without a batch nothing is remembered of one":
      held !== null ||
      (failures === 0 &&
        failuresSinceRevised === 0 &&
        !ambiguous &&
        retryAtMillis === 0 &&
        backoffMillis === 0 &&
        bisection === null &&
        refusal === null),
    "M3 failures are counted up from 0": failures >= 0 && failuresSinceRevised >= 0,
    "M4 a wait has an end": !isWaiting(delivery) || (backoffMillis <= 3_600_000 && retryAtMillis > 0),
    "M5 a superseded revision is given up after a bounded number of attempts, and at once when none may have landed":
      !(delivery === "backingOff" && revised) || (ambiguous && failuresSinceRevised < context.oldRevisionAttemptsMax),
    "M6 a revision waits only for a batch": !revised || held !== null,
    "M7 a bisection goes forward, and its next part lies within the batch":
      bisection === null ||
      (held !== null &&
        bisection.done >= 0 &&
        bisection.size >= 1 &&
        bisection.done + bisection.size <= held.records &&
        (bisection.suspectTo === null ||
          (bisection.suspectTo > bisection.done && bisection.suspectTo >= bisection.done + bisection.size)) &&
        settled <= held.records),
    "M8 a refusal is known where something follows from it":
      (delivery !== "suspended" && delivery !== "deadLettering") || refusal !== null,
  };
  return Object.entries(holds).flatMap(([name, isHeld]) => (isHeld ? [] : [name]));
};

export const isWaiting = (delivery: string): boolean => delivery === "backingOff" || delivery === "suspended";
