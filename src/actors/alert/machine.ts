import { assign, setup } from "xstate";

/**
 * One alert: a rule, for one set of labels.
 *
 *     inactive → pending → firing → resolved → inactive
 *
 * Time comes with the events and is added up from one to the next, so that a clock that jumps neither fires an alert
 * nor holds it back.
 */
export interface AlertInput {
  /** So long the condition must be met before it fires; 0: at once. */
  readonly forMillis: number;
  /** So long it must be unmet before the alert is resolved; 0: at once. */
  readonly keepMillis: number;
  /** Told again after so long. */
  readonly repeatMillis: number;
  /** A resolved alert is remembered for so long. */
  readonly rememberMillis: number;
  /** Between two events there is no more than this, unless the clock was changed. */
  readonly stepMillisMax: number;
}

/** JSON only. Epoch millis; 0: not yet. */
export interface AlertContext extends AlertInput {
  readonly lastMillis: number;
  /** Time in pending or resolved. */
  readonly elapsedMillis: number;
  /** Of a firing alert: how long its condition has not been met. */
  readonly unmetMillis: number;
  /** Since somebody was told. */
  readonly quietMillis: number;
  /** The last that met the condition. */
  readonly value: number;
  /** For people: when its condition was first met, when it fired, when it was resolved. */
  readonly sinceMillis: number;
  readonly firedMillis: number;
  readonly resolvedMillis: number;
}

interface At {
  readonly nowMillis: number;
}
interface Met extends At {
  readonly value: number;
}

export type AlertEvent =
  | ({ readonly type: "condition.met" } & Met)
  | ({ readonly type: "condition.unmet" } & At)
  /** Nobody knows now: time stands still. */
  | ({ readonly type: "condition.unknown" } & At);

/** Why somebody is told. */
export type AlertNews = "firing" | "reminder" | "resolved";

const passed = ({ lastMillis, stepMillisMax }: AlertContext, { nowMillis }: At): number =>
  Math.max(0, Math.min(stepMillisMax, nowMillis - lastMillis));

const fresh = { elapsedMillis: 0, unmetMillis: 0, quietMillis: 0 } as const;
const never = { value: 0, sinceMillis: 0, firedMillis: 0, resolvedMillis: 0 } as const;

const ofEvent = ({ event }: { readonly event: Met }): Met => event;

/** What a condition does that was not met before, or whose alert is over. */
const beginning = [
  {
    guard: "firesAtOnce",
    target: "firing",
    actions: [
      { type: "begin", params: ofEvent },
      { type: "fire", params: ofEvent },
      { type: "tell", params: { news: "firing" } },
    ],
  },
  { target: "pending", actions: { type: "begin", params: ofEvent } },
] as const;

export const alertMachine = setup({
  types: { input: {} as AlertInput, context: {} as AlertContext, events: {} as AlertEvent },
  guards: {
    firesAtOnce: ({ context }) => context.forMillis === 0,
    isDue: ({ context }, at: At) => context.elapsedMillis + passed(context, at) >= context.forMillis,
    isReminderDue: ({ context }, at: At) => context.quietMillis + passed(context, at) >= context.repeatMillis,
    isOver: ({ context }, at: At) => context.unmetMillis + passed(context, at) >= context.keepMillis,
    isForgotten: ({ context }, at: At) => context.elapsedMillis + passed(context, at) >= context.rememberMillis,
  },
  actions: {
    /** A hole, for whoever tells people. */
    tell: (_args, _news: { readonly news: AlertNews }) => {},
    begin: assign((_, { nowMillis, value }: Met) => ({
      ...fresh,
      ...never,
      value,
      lastMillis: nowMillis,
      sinceMillis: nowMillis,
    })),
    fire: assign((_, { nowMillis, value }: Met) => ({
      ...fresh,
      value,
      lastMillis: nowMillis,
      firedMillis: nowMillis,
    })),
    hold: assign(({ context }, at: Met) => ({
      lastMillis: at.nowMillis,
      elapsedMillis: context.elapsedMillis + passed(context, at),
      unmetMillis: 0,
      quietMillis: context.quietMillis + passed(context, at),
      value: at.value,
    })),
    wane: assign(({ context }, at: At) => ({
      lastMillis: at.nowMillis,
      unmetMillis: context.unmetMillis + passed(context, at),
      quietMillis: context.quietMillis + passed(context, at),
    })),
    quieten: assign(() => ({ quietMillis: 0 })),
    resolve: assign((_, { nowMillis }: At) => ({ ...fresh, lastMillis: nowMillis, resolvedMillis: nowMillis })),
    age: assign(({ context }, at: At) => ({
      lastMillis: at.nowMillis,
      elapsedMillis: context.elapsedMillis + passed(context, at),
    })),
    forget: assign((_, { nowMillis }: At) => ({ ...fresh, ...never, lastMillis: nowMillis })),
    skip: assign((_, { nowMillis }: At) => ({ lastMillis: nowMillis })),
  },
}).createMachine({
  id: "alert",
  context: ({ input }) => ({ ...input, ...fresh, ...never, lastMillis: 0 }),
  initial: "inactive",
  on: { "condition.unknown": { actions: { type: "skip", params: ({ event }) => event } } },
  states: {
    inactive: {
      on: {
        "condition.met": beginning,
      },
    },
    /** The condition is met, not yet for long enough. */
    pending: {
      on: {
        "condition.met": [
          {
            guard: { type: "isDue", params: ({ event }) => event },
            target: "firing",
            actions: [
              { type: "fire", params: ({ event }) => event },
              { type: "tell", params: { news: "firing" } },
            ],
          },
          { actions: { type: "hold", params: ({ event }) => event } },
        ],
        "condition.unmet": { target: "inactive", actions: { type: "forget", params: ({ event }) => event } },
      },
    },
    firing: {
      on: {
        "condition.met": [
          {
            guard: { type: "isReminderDue", params: ({ event }) => event },
            actions: [
              { type: "hold", params: ({ event }) => event },
              "quieten",
              { type: "tell", params: { news: "reminder" } },
            ],
          },
          { actions: { type: "hold", params: ({ event }) => event } },
        ],
        "condition.unmet": [
          {
            guard: { type: "isOver", params: ({ event }) => event },
            target: "resolved",
            actions: [
              { type: "resolve", params: ({ event }) => event },
              { type: "tell", params: { news: "resolved" } },
            ],
          },
          { actions: { type: "wane", params: ({ event }) => event } },
        ],
      },
    },
    /** Over, and still shown. */
    resolved: {
      on: {
        "condition.met": beginning,
        "condition.unmet": [
          {
            guard: { type: "isForgotten", params: ({ event }) => event },
            target: "inactive",
            actions: { type: "forget", params: ({ event }) => event },
          },
          { actions: { type: "age", params: ({ event }) => event } },
        ],
      },
    },
  },
});
