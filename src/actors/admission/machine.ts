import { assign, setup } from "xstate";

/**
 * How much the node takes on, decided from readings of what it has: `open` → `guarded` → `surging` → `closed`. One
 * step per reading either way: up at once, down only after a time without a reading that asks for the state.
 */
export interface AdmissionInput {
  /** Shares of a bound, in percent, from which on a reading asks for the state. Ascending. */
  readonly guardedPercent: number;
  readonly surgingPercent: number;
  readonly closedPercent: number;
  /** So many points below its threshold a state is given up. */
  readonly easedPercent: number;
  /** For so long no reading may have asked for a state before it is given up. */
  readonly dwellMillisMin: number;
}

export interface AdmissionContext extends AdmissionInput {
  /** Epoch millis of the last reading that asked for the state, or of coming into it. */
  readonly pressedMillis: number;
  /** What asked loudest, in the last reading; for people. */
  readonly pressedBy: ReadingName;
}

/** What is read, each as a share of its own bound in percent; above 100 is over it. */
export const readingNames = ["residents", "newcomers", "memory", "eventLoop", "partitionFill"] as const;
export type ReadingName = (typeof readingNames)[number];
export type Shares = Readonly<Record<ReadingName, number>>;

export interface AdmissionEvent {
  readonly type: "reading";
  readonly shares: Shares;
  readonly nowMillis: number;
}

/** 0 open … 3 closed. */
export type Level = 0 | 1 | 2 | 3;

/**
 * The state that a reading asks for. Newcomers alone never close the door: their share of the bandwidth and of new
 * buffers is bounded already.
 *
 * @param mercy points taken off the thresholds: to stay in a state takes less than to come into it
 */
export const levelOf = (input: AdmissionInput, shares: Shares, mercy = 0): Level => {
  const newcomers = shares.newcomers >= input.surgingPercent - mercy ? 2 : levelOfShare(input, shares.newcomers, mercy);
  const others = Math.max(shares.residents, shares.memory, shares.eventLoop, shares.partitionFill);
  return Math.max(newcomers, levelOfShare(input, others, mercy)) as Level;
};

const levelOfShare = (input: AdmissionInput, share: number, mercy: number): Level => {
  if (share >= input.closedPercent - mercy) return 3;
  if (share >= input.surgingPercent - mercy) return 2;
  return share >= input.guardedPercent - mercy ? 1 : 0;
};

const loudest = (shares: Shares): ReadingName =>
  readingNames.reduce((most, name) => (shares[name] > shares[most] ? name : most));

interface OfState {
  readonly level: Level;
}

export const admissionMachine = setup({
  types: {
    input: {} as AdmissionInput,
    context: {} as AdmissionContext,
    events: {} as AdmissionEvent,
  },
  guards: {
    asksForMore: ({ context, event }, { level }: OfState) => levelOf(context, event.shares) > level,
    /** Not even with the threshold lowered does the reading ask for this state, and none has for long enough. */
    isOver: ({ context, event }, { level }: OfState) =>
      levelOf(context, event.shares, context.easedPercent) < level &&
      event.nowMillis - context.pressedMillis >= context.dwellMillisMin,
    /** A clock that was set back begins the wait anew: it must not make it longer than that. */
    asksToStay: ({ context, event }, { level }: OfState) =>
      event.nowMillis < context.pressedMillis || levelOf(context, event.shares, context.easedPercent) >= level,
  },
  actions: {
    press: assign(({ event }) => ({ pressedMillis: event.nowMillis, pressedBy: loudest(event.shares) })),
  },
}).createMachine({
  id: "admission",
  context: ({ input }) => ({ ...input, pressedMillis: 0, pressedBy: "residents" }),
  initial: "open",
  states: {
    open: {
      on: {
        reading: { guard: { type: "asksForMore", params: { level: 0 } }, target: "guarded", actions: "press" },
      },
    },
    guarded: {
      on: {
        reading: [
          { guard: { type: "asksForMore", params: { level: 1 } }, target: "surging", actions: "press" },
          { guard: { type: "asksToStay", params: { level: 1 } }, actions: "press" },
          { guard: { type: "isOver", params: { level: 1 } }, target: "open", actions: "press" },
        ],
      },
    },
    surging: {
      on: {
        reading: [
          { guard: { type: "asksForMore", params: { level: 2 } }, target: "closed", actions: "press" },
          { guard: { type: "asksToStay", params: { level: 2 } }, actions: "press" },
          { guard: { type: "isOver", params: { level: 2 } }, target: "guarded", actions: "press" },
        ],
      },
    },
    closed: {
      on: {
        reading: [
          { guard: { type: "asksToStay", params: { level: 3 } }, actions: "press" },
          { guard: { type: "isOver", params: { level: 3 } }, target: "surging", actions: "press" },
        ],
      },
    },
  },
});
