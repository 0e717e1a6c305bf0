import { assign, setup } from "xstate";

/**
 * The circuit of one destination host, pure: whether its jobs may push at all. Time comes with the events, for nobody
 * has to know that an open circuit could be tried unless somebody wants to push.
 *
 *     closed → open → halfOpen.ready ⇄ halfOpen.probing → closed | open
 */
export interface CircuitInput {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  readonly openMillisFirst: number;
  readonly openMillisMax: number;
}

/** JSON only. */
export interface CircuitContext extends CircuitInput {
  /** Failures in a row while closed. */
  readonly failures: number;
  /** How often it has opened since it was last closed. */
  readonly opened: number;
  /** Of the next probe, by the clock of the events; 0 unless open. */
  readonly openUntilMillis: number;
}

export type CircuitEvent =
  /** The host answered a push, whatever it said: it is there. */
  | { readonly type: "host.answered" }
  /** A push failed in a way that speaks against the host. */
  | { readonly type: "host.failed"; readonly nowMillis: number; /** In [0, 1). */ readonly jitter: number }
  /** Somebody wants to push, and it is so late. */
  | { readonly type: "time.passed"; readonly nowMillis: number }
  | { readonly type: "probe.began" }
  | { readonly type: "probe.answered" }
  | { readonly type: "probe.failed"; readonly nowMillis: number; readonly jitter: number }
  /** It was given up before it had an answer, or its answer says nothing about the host. */
  | { readonly type: "probe.abandoned" };

export const circuitMachine = setup({
  types: {
    input: {} as CircuitInput,
    context: {} as CircuitContext,
    events: {} as CircuitEvent,
  },
  guards: {
    isEnough: ({ context }) => context.failures + 1 >= context.failuresMax,
    isTime: ({ context }, { nowMillis }: { readonly nowMillis: number }) => nowMillis >= context.openUntilMillis,
  },
  actions: {
    count: assign({ failures: ({ context }) => context.failures + 1 }),
    forgive: assign({ failures: 0 }),
    heal: assign({ failures: 0, opened: 0, openUntilMillis: 0 }),
    open: assign(({ context }, { jitter, nowMillis }: { readonly nowMillis: number; readonly jitter: number }) => ({
      failures: 0,
      opened: context.opened + 1,
      openUntilMillis: nowMillis + openMillis(context, jitter),
    })),
    forgetTime: assign({ openUntilMillis: 0 }),
  },
}).createMachine({
  id: "circuit",
  context: ({ input }) => ({ ...input, failures: 0, opened: 0, openUntilMillis: 0 }),
  initial: "closed",
  states: {
    closed: {
      on: {
        "host.answered": { actions: "forgive" },
        "host.failed": [
          { guard: "isEnough", target: "open", actions: { type: "open", params: ({ event }) => event } },
          { actions: "count" },
        ],
      },
    },
    /** Answers of pushes that began before it opened change nothing: the probe decides. */
    open: {
      on: {
        "time.passed": {
          guard: { type: "isTime", params: ({ event }) => event },
          target: "halfOpen",
          actions: "forgetTime",
        },
      },
    },
    halfOpen: {
      initial: "ready",
      states: {
        ready: { on: { "probe.began": "probing" } },
        probing: {
          on: {
            "probe.answered": { target: "#circuit.closed", actions: "heal" },
            "probe.failed": { target: "#circuit.open", actions: { type: "open", params: ({ event }) => event } },
            "probe.abandoned": "ready",
          },
        },
      },
    },
  },
});

/** Doubles with every opening; half of it is jitter, so that nodes that opened together do not probe together. */
const openMillis = ({ openMillisFirst, openMillisMax, opened }: CircuitContext, jitter: number): number =>
  Math.floor(Math.min(openMillisMax, openMillisFirst * 2 ** Math.min(opened, 30)) * (0.5 + jitter / 2));
