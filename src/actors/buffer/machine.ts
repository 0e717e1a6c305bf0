import { assign, setup } from "xstate";
import type { BatchRef } from "../../domain/batch.ts";
import type { Tally } from "../../domain/books.ts";
import type { DeadLetterInput, PushAnswer, PushInput, PushReport, Refusal } from "../../domain/push-attempt.ts";
import type { OverloadPolicy } from "../../domain/push-job.ts";
import { beginBisection, type Bisection, halve, passDead, passDelivered } from "../../domain/bisection.ts";
import {
  delayAfter,
  isHeld,
  isNotTried,
  isConfigurationLike,
  isDataLike,
  mayHaveLanded,
  probeDelayMillis,
  refusalOf,
} from "../../domain/push-verdict.ts";

/**
 * A buffer's decisions, pure: which batch is pushed when, and what follows from an outcome. Records never come here:
 * the window beside it counts them and says when a batch has closed.
 *
 *     flow      live ⇄ backpressured ⇄ overloaded (refuse, shedOldest)
 *     delivery  idle → filling → pushing ⇄ backingOff, suspended; pushing ⇄ bisecting, deadLettering;
 *               any → quarantined, draining
 */
export interface BufferInput {
  readonly job: string;
  readonly retryBaseMillis: number;
  readonly retryMillisMax: number;
  /** Ambiguous attempts that a batch may have under a superseded revision before it is cut anew. */
  readonly oldRevisionAttemptsMax: number;
  /** The longest time between two probes of a destination that refuses the job. */
  readonly suspendedProbeMillis: number;
  /** Failed attempts of a batch after which a host name that does not resolve is taken for a wrong one. */
  readonly unresolvedFailuresMax: number;
  /** Dead letters without a delivery between them after which the destination is taken to refuse everything. */
  readonly deadLettersInRowMax: number;
}

/** JSON only: it is stored in the job's row. */
export interface BufferContext extends BufferInput {
  /** The batch that is pushed or waits for its retry; null in idle and filling. */
  readonly batch: BatchRef | null;
  /** Failed attempts of `batch`, or of the part of it that is being tried. */
  readonly failures: number;
  /** Failed attempts of `batch` since a newer revision of the job is known. */
  readonly failuresSinceRevised: number;
  /** Whether an attempt of `batch` may have landed although it did not succeed. */
  readonly ambiguous: boolean;
  /** Epoch millis: not before. */
  readonly retryAtMillis: number;
  readonly backoffMillis: number;
  /** A newer revision of the job waits for `batch` to be settled or cut anew. */
  readonly revised: boolean;
  /** How far `batch` was taken apart; null while it is tried as a whole. */
  readonly bisection: Bisection | null;
  /** Why `batch` is not delivered, while it is suspended or one of its records becomes a dead letter. */
  readonly refusal: Refusal | null;
}

export type BufferEvent =
  /** The window holds records whose batch is still open. */
  | { readonly type: "window.filled" }
  /** The window was given up: whatever it held will be read again. */
  | { readonly type: "window.dropped" }
  /** The oldest batch is complete, and the row that it starts from is durable. */
  | { readonly type: "batch.closed"; readonly batch: BatchRef }
  /** The window takes no more, or was given up: from now on the sweep feeds this buffer. */
  | { readonly type: "buffer.lagged" }
  /** The sweep has reached the reader: from now on the reader feeds this buffer. */
  | { readonly type: "buffer.caughtUp" }
  /** The customer's backlog is over its quota, and this lagging buffer holds part of it. */
  | { readonly type: "backlog.exceeded"; readonly policy: OverloadPolicy }
  /** The customer's backlog is well below its quota again. */
  | { readonly type: "backlog.eased" }
  | { readonly type: "job.revised" }
  /** After a restore: timers, pushes and dead letters begin again. */
  | { readonly type: "buffer.resumed"; readonly nowMillis: number }
  /** The push that `startPush` began has an outcome. One of another attempt is ignored. */
  | { readonly type: "push.answered"; readonly attempt: number; readonly answer: PushAnswer }
  /** A defect in the code that pushes, not an outcome: the actor crashes, and its shell starts it again. */
  | { readonly type: "push.died"; readonly attempt: number; readonly cause: unknown }
  /** The row that names the part to be pushed next is durable. */
  | { readonly type: "row.written" }
  /** The record is stored as a dead letter: the next part may be tried. */
  | ({ readonly type: "deadLetter.stored"; readonly written: Tally } & Moment)
  /** There is no room for another dead letter of this job. */
  | ({ readonly type: "deadLetter.refused"; readonly detail: string } & Moment)
  /** A defect in the code that stores dead letters. */
  | { readonly type: "deadLetter.died"; readonly cause: unknown }
  /** The cursor was moved past the batch in the balance: expiry, shedding, a skip. */
  | { readonly type: "cursor.moved" }
  /** A person says: try again now. */
  | { readonly type: "buffer.resume" }
  /** A person, or the supervisor after too many crashes, isolates this buffer. */
  | { readonly type: "buffer.quarantine" }
  | { readonly type: "buffer.drain" };

/** The time and the jitter that the machine may not ask for itself. */
type Moment = Pick<PushAnswer, "nowMillis" | "jitter">;
/** A batch that has left the balance, and how it was taken apart. */
interface Settled {
  readonly batch: BatchRef;
  readonly bisection: Bisection | null;
}
type Answered = { readonly answer: PushAnswer };

const settled = {
  batch: null,
  failures: 0,
  failuresSinceRevised: 0,
  ambiguous: false,
  retryAtMillis: 0,
  backoffMillis: 0,
  bisection: null,
  refusal: null,
};

export const bufferMachine = setup({
  types: {
    input: {} as BufferInput,
    context: {} as BufferContext,
    events: {} as BufferEvent,
    tags: {} as "quiescent",
  },
  delays: {
    backoff: ({ context }) => context.backoffMillis,
    probe: ({ context }) => context.backoffMillis,
  },
  guards: {
    /** Of a push that was given up: its answer is nobody's any more. */
    isStale: ({ context }, { attempt }: { readonly attempt: number }) => attempt !== context.failures + 1,
    /** As a whole, and no newer revision waits: the common case, first and short. */
    isDeliveredAsNewest: ({ context }, { answer }: Answered) =>
      answer.outcome._tag === "Delivered" && !context.revised && context.bisection === null,
    /** The whole batch, or the last part of one. */
    isDelivered: ({ context }, { answer }: Answered) =>
      answer.outcome._tag === "Delivered" && (context.bisection === null || isLastPart(context)),
    isPartDelivered: (_, { answer }: Answered) => answer.outcome._tag === "Delivered",
    /** A definitive failure, or enough ambiguous ones: repairing a dead destination must work at once. */
    mayRecut: ({ context }) =>
      context.revised && (!context.ambiguous || context.failuresSinceRevised >= context.oldRevisionAttemptsMax),
    /** The same question about the answer that has just come in. */
    mayRecutAfter: ({ context }, { answer }: Answered) =>
      context.revised &&
      (!mayHaveLanded(context, answer) ||
        context.failuresSinceRevised + (isHeld(answer.outcome) ? 0 : 1) >= context.oldRevisionAttemptsMax),
    /** The destination was not asked at all. While a newer revision waits, that counts like an attempt, unless held. */
    isNotTried: ({ context }, { answer }: Answered) =>
      isHeld(answer.outcome) || (!context.revised && isNotTried(answer.outcome)),
    isOneRecordRefused: ({ context }, { answer }: Answered) =>
      isDataLike(answer.outcome) && (context.bisection?.size ?? context.batch?.records ?? 0) <= 1,
    isDataRefused: (_, { answer }: Answered) => isDataLike(answer.outcome),
    /** Nothing that mends itself. While a newer revision waits, it is what may mend it. */
    isConfigurationRefused: ({ context }, { answer }: Answered) =>
      !context.revised && isConfigurationLike(answer.outcome, context),
    isLastRecord: ({ context }) => (context.bisection?.done ?? 0) + 1 >= (context.batch?.records ?? 0),
    isEverythingRefused: ({ context }) => (context.bisection?.deadInRow ?? 0) + 1 >= context.deadLettersInRowMax,
    isRevised: ({ context }) => context.revised,
    hasBatch: ({ context }) => context.batch !== null,
    isShedding: (_, { policy }: { readonly policy: OverloadPolicy }) => policy === "shedOldest",
  },
  actions: {
    // Holes, filled with `machine.provide`: what the shell does, or is told. Actions and not emitted facts, for one
    // that throws crashes its own actor and nothing else. The bare machine does nothing.
    startPush: (_args, _input: PushInput) => {},
    /** On every way out of `pushing`: interrupts the push unless it has answered. */
    cancelPush: () => {},
    startDeadLetter: (_args, _input: DeadLetterInput) => {},
    /** On every way out of `deadLettering`. */
    cancelDeadLetter: () => {},
    /** The row must be durable before the next part is pushed. */
    wantRow: () => {},
    reportPush: (_args, _report: PushReport) => {},
    /** The batch has left the balance; with a bisection, part of it was delivered and part became dead letters. */
    reportSettled: (_args, _settled: Settled) => {},
    /** The batch will be cut anew under the new revision. It may have been delivered when `ambiguous`. */
    reportAbandoned: (_args, _abandoned: { readonly batch: BatchRef; readonly ambiguous: boolean }) => {},
    /** Nothing of the old revision is left: the new one may take effect. */
    reportAdoptable: () => {},
    /** Somebody has to do something: an alert. The window may be given up. */
    reportSuspended: (_args, _refusal: Refusal) => {},
    reportQuarantined: () => {},
    /** Suspended or quarantined no more. */
    reportResumed: () => {},
    reportDrained: () => {},
    crash: (_, { cause }: { readonly cause: unknown }) => {
      throw cause;
    },
    claim: assign((_, { batch }: { readonly batch: BatchRef }) => ({ batch })),
    settle: assign(settled),
    defer: assign(({ context }, { answer }: Answered) => {
      const backoffMillis = delayAfter(context, answer);
      return {
        failures: context.failures + 1,
        failuresSinceRevised: context.revised ? context.failuresSinceRevised + 1 : 0,
        ambiguous: mayHaveLanded(context, answer),
        backoffMillis,
        retryAtMillis: answer.nowMillis + backoffMillis,
        refusal: null,
      };
    }),
    /** Nothing was tried: no attempt is counted. */
    hold: assign(({ context }, { answer }: Answered) => {
      const backoffMillis = delayAfter(context, answer);
      return { backoffMillis, retryAtMillis: answer.nowMillis + backoffMillis };
    }),
    noteRefusal: assign((_, { answer }: Answered) => ({ refusal: refusalOf(answer.outcome) })),
    bisect: assign(({ context }) => ({
      bisection: context.bisection === null ? beginBisection(context.batch!.records) : halve(context.bisection),
      failures: 0,
      refusal: null,
    })),
    passDelivered: assign(({ context }, { answer }: Answered) => ({
      bisection: passDelivered(context.bisection!, context.batch!.records, answer.written),
      failures: 0,
      refusal: null,
      // Cut anew, the batch would bring again what this part has brought.
      ambiguous: true,
    })),
    passDead: assign(({ context }, { written }: { readonly written: Tally }) => ({
      bisection: passDead(context.bisection ?? whole, context.batch!.records, written),
      failures: 0,
      refusal: null,
    })),
    /** For what no push has answered. */
    suspendFor: assign(({ context }, { jitter, nowMillis, refusal }: Moment & { readonly refusal: Refusal }) => {
      const backoffMillis = probeDelayMillis(context, jitter);
      return { refusal, backoffMillis, retryAtMillis: nowMillis + backoffMillis };
    }),
    remember: assign({ revised: true, failuresSinceRevised: 0 }),
    /** A batch is done: the newer revision that waits takes effect before the next. */
    adoptRevision: assign({ revised: false }),
    /** The process may have died with the attempt in flight. */
    doubt: assign({ ambiguous: true }),
    /** What is left of the delay: a restored actor does not get its timers back. */
    resumeBackoff: assign(({ context }, { nowMillis }: { readonly nowMillis: number }) => ({
      backoffMillis: Math.max(0, Math.min(context.backoffMillis, context.retryAtMillis - nowMillis)),
    })),
  },
}).createMachine({
  id: "buffer",
  context: ({ input }) => ({ ...input, ...settled, revised: false }),
  type: "parallel",
  states: {
    flow: {
      initial: "live",
      states: {
        live: { on: { "buffer.lagged": "backpressured" } },
        backpressured: {
          on: {
            "buffer.caughtUp": "live",
            "backlog.exceeded": [
              { guard: { type: "isShedding", params: ({ event }) => event }, target: "overloaded.shedOldest" },
              { target: "overloaded.refuse" },
            ],
          },
        },
        /** The customer's backlog is over its quota. Its policy may change while it is. */
        overloaded: {
          initial: "refuse",
          on: {
            "buffer.caughtUp": "live",
            "backlog.eased": "backpressured",
            "backlog.exceeded": [
              { guard: { type: "isShedding", params: ({ event }) => event }, target: ".shedOldest" },
              { target: ".refuse" },
            ],
          },
          states: { refuse: {}, shedOldest: {} },
        },
      },
    },
    delivery: {
      initial: "idle",
      on: { "buffer.drain": ".draining", "buffer.quarantine": ".quarantined" },
      states: {
        idle: {
          tags: "quiescent",
          on: {
            "window.filled": "filling",
            "batch.closed": { target: "pushing", actions: { type: "claim", params: ({ event }) => event } },
            "job.revised": { actions: "reportAdoptable" },
          },
        },
        filling: {
          on: {
            "window.dropped": "idle",
            "cursor.moved": "idle",
            "batch.closed": { target: "pushing", actions: { type: "claim", params: ({ event }) => event } },
            "job.revised": { target: "idle", actions: "reportAdoptable" },
          },
        },
        pushing: {
          entry: { type: "startPush", params: ({ context }) => pushInput(context) },
          exit: "cancelPush",
          on: {
            "push.answered": [
              { guard: { type: "isStale", params: ({ event }) => event } },
              {
                guard: { type: "isDeliveredAsNewest", params: ({ event }) => event },
                target: "idle",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "reportSettled", params: ({ context }) => ({ batch: context.batch!, bisection: null }) },
                  "settle",
                ],
              },
              {
                guard: { type: "isDelivered", params: ({ event }) => event },
                target: "relieved",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  {
                    type: "reportSettled",
                    params: ({ context, event }) => ({
                      batch: context.batch!,
                      bisection: afterDelivery(context, event.answer),
                    }),
                  },
                ],
              },
              {
                guard: { type: "isPartDelivered", params: ({ event }) => event },
                target: "bisecting",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "passDelivered", params: ({ event }) => event },
                ],
              },
              {
                guard: { type: "mayRecutAfter", params: ({ event }) => event },
                target: "relieved",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  {
                    type: "reportAbandoned",
                    params: ({ context, event }) => ({
                      batch: context.batch!,
                      ambiguous: mayHaveLanded(context, event.answer),
                    }),
                  },
                ],
              },
              {
                guard: { type: "isNotTried", params: ({ event }) => event },
                target: "backingOff",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "hold", params: ({ event }) => event },
                ],
              },
              {
                guard: { type: "isOneRecordRefused", params: ({ event }) => event },
                target: "deadLettering",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "noteRefusal", params: ({ event }) => event },
                ],
              },
              {
                guard: { type: "isDataRefused", params: ({ event }) => event },
                target: "bisecting",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  "bisect",
                ],
              },
              {
                guard: { type: "isConfigurationRefused", params: ({ event }) => event },
                target: "suspended",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "defer", params: ({ event }) => event },
                  { type: "noteRefusal", params: ({ event }) => event },
                ],
              },
              {
                target: "backingOff",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "defer", params: ({ event }) => event },
                ],
              },
            ],
            "push.died": [
              { guard: { type: "isStale", params: ({ event }) => event } },
              { actions: { type: "crash", params: ({ event }) => event } },
            ],
            "job.revised": { actions: "remember" },
            // Its attempt has not begun: it waits for a place, or for its batch to be read again.
            "cursor.moved": "relieved",
            // A push begun by a process that died may have landed; it is begun again, with the same id.
            "buffer.resumed": { target: "pushing", reenter: true, actions: "doubt" },
            // Interrupts the push; the batch keeps its id, and its cursor does not move.
            "buffer.drain": { target: "draining", actions: "doubt" },
            "buffer.quarantine": { target: "quarantined", actions: "doubt" },
          },
        },
        backingOff: {
          after: { backoff: "pushing" },
          on: {
            "job.revised": { target: "reconsidering", actions: "remember" },
            "buffer.resume": "pushing",
            "cursor.moved": "relieved",
            "buffer.resumed": {
              target: "backingOff",
              reenter: true,
              actions: { type: "resumeBackoff", params: ({ event }) => event },
            },
          },
        },
        /** Will not succeed as it is: pushed again only now and then, to see whether somebody mended it. */
        suspended: {
          entry: { type: "reportSuspended", params: ({ context }) => context.refusal! },
          exit: "reportResumed",
          after: { probe: "pushing" },
          on: {
            "job.revised": { target: "reconsidering", actions: "remember" },
            "buffer.resume": "pushing",
            "cursor.moved": "relieved",
            "buffer.resumed": {
              target: "suspended",
              actions: { type: "resumeBackoff", params: ({ event }) => event },
              reenter: true,
            },
          },
        },
        /** Waits until the row that names the next part is durable: a restart must try the same parts. */
        bisecting: {
          entry: "wantRow",
          on: {
            "row.written": "pushing",
            "job.revised": { actions: "remember" },
            "cursor.moved": "relieved",
            "buffer.resumed": { target: "bisecting", reenter: true },
          },
        },
        /** A refused record is stored before the cursor passes it. */
        deadLettering: {
          entry: { type: "startDeadLetter", params: ({ context }) => deadLetterInput(context) },
          exit: "cancelDeadLetter",
          on: {
            "deadLetter.stored": [
              {
                guard: "isLastRecord",
                target: "relieved",
                actions: {
                  type: "reportSettled",
                  params: ({ context, event }) => ({
                    batch: context.batch!,
                    bisection: passDead(context.bisection ?? whole, context.batch!.records, event.written),
                  }),
                },
              },
              {
                guard: "isEverythingRefused",
                target: "suspended",
                actions: [
                  { type: "passDead", params: ({ event }) => event },
                  { type: "suspendFor", params: ({ event }) => ({ ...event, refusal: everythingRefused }) },
                ],
              },
              { target: "bisecting", actions: { type: "passDead", params: ({ event }) => event } },
            ],
            "deadLetter.refused": {
              target: "suspended",
              actions: {
                type: "suspendFor",
                params: ({ event }) => ({
                  ...event,
                  refusal: { reason: "dead-letters-full", detail: event.detail, status: null },
                }),
              },
            },
            "deadLetter.died": { actions: { type: "crash", params: ({ event }) => event } },
            "job.revised": { actions: "remember" },
            "buffer.resumed": { target: "deadLettering", reenter: true },
          },
        },
        /** Isolated after too many crashes, or by a person: nothing is pushed until somebody says so. */
        quarantined: {
          tags: "quiescent",
          entry: "reportQuarantined",
          exit: "reportResumed",
          on: {
            "buffer.quarantine": {},
            "buffer.resume": [{ guard: "hasBatch", target: "pushing" }, { target: "idle" }],
            "job.revised": [
              { guard: "hasBatch", target: "reconsidering", actions: "remember" },
              { target: "idle", actions: "reportAdoptable" },
            ],
            "cursor.moved": [
              { guard: "isRevised", actions: ["settle", "adoptRevision", "reportAdoptable"] },
              { actions: "settle" },
            ],
            // It stays isolated, also after the next start.
            "buffer.drain": {},
          },
        },
        /** Transient: a newer revision arrived between two attempts of a batch. */
        reconsidering: {
          always: [
            {
              guard: "mayRecut",
              target: "relieved",
              actions: {
                type: "reportAbandoned",
                params: ({ context }) => ({ batch: context.batch!, ambiguous: context.ambiguous }),
              },
            },
            // Not yet: one more attempt under the old revision, at once, for the settings may be repaired.
            { target: "pushing" },
          ],
        },
        /** Transient: the batch has left the balance. A newer revision that waited takes effect now. */
        relieved: {
          entry: "settle",
          always: [
            { guard: "isRevised", target: "idle", actions: ["adoptRevision", "reportAdoptable"] },
            { target: "idle" },
          ],
        },
        /** Takes no new batch. What is not delivered stays in the log, and the row says from where. */
        draining: { entry: "reportDrained", tags: "quiescent", on: { "buffer.drain": {}, "buffer.quarantine": {} } },
      },
    },
  },
});

/** Of a batch of one record there is nothing to take apart. */
const whole: Bisection = { ...beginBisection(1), size: 1 };

const everythingRefused: Refusal = {
  reason: "everything-refused",
  detail: "the destination refuses one record after the other: its settings are more likely wrong than the records",
  status: null,
};

const isLastPart = ({ batch, bisection }: BufferContext): boolean =>
  bisection !== null && bisection.done + bisection.size >= (batch?.records ?? 0);

const afterDelivery = ({ batch, bisection }: BufferContext, { written }: PushAnswer): Bisection | null =>
  bisection === null ? null : passDelivered(bisection, batch!.records, written);

const pushInput = ({ batch, bisection, failures, job }: BufferContext): PushInput => ({
  job,
  batch: batch!,
  attempt: failures + 1,
  part: bisection === null ? null : { from: bisection.done, to: bisection.done + bisection.size },
});

const deadLetterInput = ({ batch, bisection, job, refusal }: BufferContext): DeadLetterInput => ({
  job,
  batch: batch!,
  index: bisection?.done ?? 0,
  refusal: refusal!,
});

const pushReport = (context: BufferContext, answer: PushAnswer): PushReport => ({
  batch: context.batch!,
  attempt: context.failures + 1,
  answer,
  nextDelayMillis: delayAfter(context, answer),
});
