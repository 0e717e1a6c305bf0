import { assign, setup } from "xstate";
import type { BatchRef } from "../../domain/batch.ts";
import { retryDelayMillis } from "../../domain/retry-policy.ts";
import type { PushAnswer, PushInput, PushReport } from "../../domain/push-attempt.ts";

/**
 * A buffer's decisions, pure: which batch is pushed when, and what follows from an outcome. Records never come here:
 * the window beside it counts them and says when a batch has closed.
 *
 *     flow      live ⇄ backpressured
 *     delivery  idle → filling → pushing ⇄ backingOff, any → draining
 */
export interface BufferInput {
  readonly job: string;
  readonly retryBaseMillis: number;
  readonly retryMillisMax: number;
  /** Ambiguous attempts that a batch may have under a superseded revision before it is cut anew. */
  readonly oldRevisionAttemptsMax: number;
}

/** JSON only: it is stored in the job's row. */
export interface BufferContext extends BufferInput {
  /** The batch that is pushed or waits for its retry; null in idle and filling. */
  readonly batch: BatchRef | null;
  /** Failed attempts of `batch`. */
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
  | { readonly type: "job.revised" }
  /** After a restore: timers and pushes begin again. */
  | { readonly type: "buffer.resumed"; readonly nowMillis: number }
  /** The push that `startPush` began has an outcome. One of another attempt is ignored. */
  | { readonly type: "push.answered"; readonly attempt: number; readonly answer: PushAnswer }
  /** A defect in the code that pushes, not an outcome: the actor crashes, and its shell starts it again. */
  | { readonly type: "push.died"; readonly attempt: number; readonly cause: unknown }
  | { readonly type: "buffer.drain" };

const settled = {
  batch: null,
  failures: 0,
  failuresSinceRevised: 0,
  ambiguous: false,
  retryAtMillis: 0,
  backoffMillis: 0,
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
  },
  guards: {
    /** Of a push that was given up: its answer is nobody's any more. */
    isStale: ({ context }, { attempt }: { readonly attempt: number }) => attempt !== context.failures + 1,
    isDelivered: (_, { answer }: { readonly answer: PushAnswer }) => answer.outcome._tag === "Delivered",
    /** And no newer revision waits: the common case, first and short. */
    isDeliveredAsNewest: ({ context }, { answer }: { readonly answer: PushAnswer }) =>
      answer.outcome._tag === "Delivered" && !context.revised,
    /** A definitive failure, or enough ambiguous ones: repairing a dead destination must work at once. */
    mayRecut: ({ context }) =>
      context.revised && (!context.ambiguous || context.failuresSinceRevised >= context.oldRevisionAttemptsMax),
    /** The same question about the answer that has just come in. */
    mayRecutAfter: ({ context }, { answer }: { readonly answer: PushAnswer }) =>
      context.revised &&
      (!mayHaveLanded(context, answer) || context.failuresSinceRevised + 1 >= context.oldRevisionAttemptsMax),
  },
  actions: {
    // Holes, filled with `machine.provide`: what the shell does, or is told. Actions and not emitted facts, for one
    // that throws crashes its own actor and nothing else. The bare machine does nothing.
    startPush: (_args, _input: PushInput) => {},
    /** On every way out of `pushing`: interrupts the push unless it has answered. */
    cancelPush: () => {},
    reportPush: (_args, _report: PushReport) => {},
    reportSettled: (_args, _settled: { readonly batch: BatchRef }) => {},
    /** The batch will be cut anew under the new revision. It may have been delivered when `ambiguous`. */
    reportAbandoned: (_args, _abandoned: { readonly batch: BatchRef; readonly ambiguous: boolean }) => {},
    /** Nothing of the old revision is left: the new one may take effect. */
    reportAdoptable: () => {},
    reportDrained: () => {},
    crash: (_, { cause }: { readonly cause: unknown }) => {
      throw cause;
    },
    claim: assign((_, { batch }: { readonly batch: BatchRef }) => ({ batch })),
    settle: assign(settled),
    defer: assign(({ context }, { answer }: { readonly answer: PushAnswer }) => {
      const backoffMillis = delayAfter(context, answer);
      return {
        failures: context.failures + 1,
        failuresSinceRevised: context.revised ? context.failuresSinceRevised + 1 : 0,
        ambiguous: mayHaveLanded(context, answer),
        backoffMillis,
        retryAtMillis: answer.nowMillis + backoffMillis,
      };
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
        backpressured: { on: { "buffer.caughtUp": "live" } },
      },
    },
    delivery: {
      initial: "idle",
      on: { "buffer.drain": ".draining" },
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
            "batch.closed": { target: "pushing", actions: { type: "claim", params: ({ event }) => event } },
            "job.revised": { target: "idle", actions: "reportAdoptable" },
          },
        },
        pushing: {
          entry: {
            type: "startPush",
            params: ({ context }) => ({ job: context.job, batch: context.batch!, attempt: context.failures + 1 }),
          },
          exit: "cancelPush",
          on: {
            "push.answered": [
              { guard: { type: "isStale", params: ({ event }) => event } },
              {
                guard: { type: "isDeliveredAsNewest", params: ({ event }) => event },
                target: "idle",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "reportSettled", params: ({ context }) => ({ batch: context.batch! }) },
                  "settle",
                ],
              },
              {
                guard: { type: "isDelivered", params: ({ event }) => event },
                target: "idle",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  { type: "reportSettled", params: ({ context }) => ({ batch: context.batch! }) },
                  "settle",
                  "adoptRevision",
                  "reportAdoptable",
                ],
              },
              {
                guard: { type: "mayRecutAfter", params: ({ event }) => event },
                target: "idle",
                actions: [
                  { type: "reportPush", params: ({ context, event }) => pushReport(context, event.answer) },
                  {
                    type: "reportAbandoned",
                    params: ({ context, event }) => ({
                      batch: context.batch!,
                      ambiguous: mayHaveLanded(context, event.answer),
                    }),
                  },
                  "settle",
                  "adoptRevision",
                  "reportAdoptable",
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
            // A push begun by a process that died may have landed; it is begun again, with the same id.
            "buffer.resumed": { target: "pushing", reenter: true, actions: "doubt" },
            // Interrupts the push; the batch keeps its id, and its cursor does not move.
            "buffer.drain": { target: "draining", actions: "doubt" },
          },
        },
        backingOff: {
          after: { backoff: "pushing" },
          on: {
            "job.revised": { target: "reconsidering", actions: "remember" },
            "buffer.resumed": {
              target: "backingOff",
              reenter: true,
              actions: { type: "resumeBackoff", params: ({ event }) => event },
            },
          },
        },
        /** Transient: a newer revision arrived between two attempts of a batch. */
        reconsidering: {
          always: [
            {
              guard: "mayRecut",
              target: "idle",
              actions: [
                {
                  type: "reportAbandoned",
                  params: ({ context }) => ({ batch: context.batch!, ambiguous: context.ambiguous }),
                },
                "settle",
                "adoptRevision",
                "reportAdoptable",
              ],
            },
            // Not yet: one more attempt under the old revision, at once, for the settings may be repaired.
            { target: "pushing" },
          ],
        },
        /** Takes no new batch. What is not delivered stays in the log, and the row says from where. */
        draining: { entry: "reportDrained", tags: "quiescent" },
      },
    },
  },
});

const mayHaveLanded = (context: BufferContext, { outcome }: PushAnswer): boolean =>
  context.ambiguous || (outcome._tag === "Deferred" && outcome.ambiguous);

const pushReport = (context: BufferContext, answer: PushAnswer): PushReport => ({
  batch: context.batch!,
  attempt: context.failures + 1,
  answer,
  nextDelayMillis: delayAfter(context, answer),
});

const delayAfter = (context: BufferContext, { jitter, outcome }: PushAnswer): number => {
  const policy = { baseMillis: context.retryBaseMillis, maxMillis: context.retryMillisMax };
  switch (outcome._tag) {
    case "Delivered":
      return 0;
    case "Deferred":
      return retryDelayMillis(policy, context.failures + 1, jitter, outcome.retryAfterMillis);
    // Does not mend itself: as rarely as the policy allows, with jitter so that many jobs do not come together.
    case "Rejected":
      return Math.floor(policy.maxMillis * (0.5 + jitter / 2));
  }
};
