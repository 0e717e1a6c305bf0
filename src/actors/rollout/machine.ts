import { assign, setup } from "xstate";

/**
 * A configuration's way into service, pure: who serves which snapshot next, and when everybody goes back.
 *
 *     idle → gating → canary ⇄ watching → promoting ⇄ watching → idle (complete)
 *                  ↘ refused              any of them → rollingBack → returning → idle (rolledBack); ⇄ halted
 *
 * Time comes with the events. What is stored of it is its state and context: a control process that dies is followed
 * by one that goes on from there, and each thing that it has done already may be done again.
 */
export interface RolloutInput {
  /** Shares of the customers, ascending, in percent; the last is 100. The first is the canary. */
  readonly steps: ReadonlyArray<number>;
  /** How long each step is watched before the next. */
  readonly watchMillis: number;
  /** Nodes have so long to serve what they are told to. */
  readonly adoptMillisMax: number;
  /** Without a reading for so long, nobody knows how it goes: back. */
  readonly silenceMillisMax: number;
  /** Readings in a row that speak against it: one may be chance. */
  readonly breachesMax: number;
}

/** A snapshot by number and hash. */
export interface SnapshotRef {
  readonly number: number;
  readonly hash: string;
}

/** Where a rollout ended, for people and for the history. */
export interface RolloutEnd {
  readonly result: "complete" | "refused" | "rolledBack" | "abandoned";
  readonly target: SnapshotRef;
  readonly reason: string;
  readonly atMillis: number;
}

/** JSON only: it is stored with each change. */
export interface RolloutContext extends RolloutInput {
  /** These serve all of the target before any share of the customers does, and until everybody has it. Empty: none. */
  readonly canaryNodes: ReadonlyArray<string>;
  /** What everybody serves, and goes back to. */
  readonly base: SnapshotRef | null;
  /** What is on its way. */
  readonly target: SnapshotRef | null;
  /** It goes to everybody at once, unwatched. */
  readonly small: boolean;
  /** Index into `steps`; a step of 0 % is that of the named nodes. */
  readonly step: number;
  /** Epoch millis of the last event that said how late it is. */
  readonly lastMillis: number;
  /** Time in this state, added up from event to event: a clock that jumps neither ends a wait nor begins it anew. */
  readonly elapsedMillis: number;
  /** Of it, since the last reading. */
  readonly silentMillis: number;
  readonly breaches: number;
  /** Why it goes back, or is halted. */
  readonly reason: string;
  readonly last: RolloutEnd | null;
}

interface At {
  readonly nowMillis: number;
}

export type RolloutEvent =
  /** A snapshot was generated, or an earlier content is asked for. One at a time: others wait outside. */
  | ({
      readonly type: "snapshot.proposed";
      readonly target: SnapshotRef;
      readonly canaryNodes?: ReadonlyArray<string>;
    } & At)
  | ({ readonly type: "gate.passed"; readonly small: boolean } & At)
  | ({ readonly type: "gate.refused"; readonly reason: string } & At)
  /** Every node that was told to serves what it was told to. */
  | ({ readonly type: "nodes.adopted" } & At)
  /** A node has refused it. */
  | ({ readonly type: "node.refused"; readonly reason: string } & At)
  /** How it goes for those who have it, against how it went for the same customers before. */
  | ({ readonly type: "signals.read"; readonly breached: string | null } & At)
  /** It is so late. Comes at least every second. `silent` are those of whom something should have been heard. */
  | ({ readonly type: "time.passed"; readonly silent?: ReadonlyArray<string> } & At)
  /** A person says: stop here, go on, go back; and to what, where what it came from cannot be had. */
  | ({ readonly type: "rollout.halt"; readonly reason: string } & At)
  | ({ readonly type: "rollout.resume" } & At)
  | ({ readonly type: "rollout.rollBack"; readonly reason: string; readonly base?: SnapshotRef } & At)
  /** Nobody was told anything else than the base. */
  | ({ readonly type: "base.restored"; readonly base: SnapshotRef } & At)
  /** All nodes are told to serve the content of the base again, under the number that it got for that. */
  | ({ readonly type: "base.told"; readonly base: SnapshotRef } & At)
  /** The control process was started again, in whatever state it was. */
  | ({ readonly type: "control.resumed" } & At);

const nothing = { target: null, canaryNodes: [], small: false, step: 0, breaches: 0, reason: "" } as const;

/** Of whoever named no nodes. */
const plainSteps = ({ steps }: RolloutInput): ReadonlyArray<number> => steps.filter((percent) => percent > 0);
const over = (context: RolloutContext) => ({ ...nothing, steps: plainSteps(context) });

const fresh = { elapsedMillis: 0, silentMillis: 0 } as const;
/** Between two events that say how late it is there is no more than this, unless the clock was changed. */
const passedMillisMax = 2_000;

const passed = ({ lastMillis }: RolloutContext, { nowMillis }: At): number =>
  Math.max(0, Math.min(passedMillisMax, nowMillis - lastMillis));

/** Names in a reason, so many at most. */
const namesMax = 5;

const silenceOf = (silent: ReadonlyArray<string> = []): string => {
  const more = silent.length > namesMax ? ` and ${silent.length - namesMax} more` : "";
  return silent.length === 0
    ? "nobody says how it goes"
    : `nothing is heard of how it goes on ${silent.slice(0, namesMax).join(", ")}${more}`;
};

const elapsed = (context: RolloutContext, at: At): number => context.elapsedMillis + passed(context, at);

const ended = (
  { reason, target }: RolloutContext,
  result: RolloutEnd["result"],
  nowMillis: number,
  why = reason,
): { readonly last: RolloutEnd } => ({ last: { result, target: target!, reason: why, atMillis: nowMillis } });

export const rolloutMachine = setup({
  types: {
    input: {} as RolloutInput & { readonly base: SnapshotRef | null },
    context: {} as RolloutContext,
    events: {} as RolloutEvent,
  },
  guards: {
    isSmall: (_, { small }: { readonly small: boolean }) => small,
    /** There is nothing to compare with and nobody to be a canary. */
    isFirst: ({ context }) => context.base === null,
    isLastStep: ({ context }) => context.step >= context.steps.length - 1,
    isUnadopted: ({ context }, at: At) => elapsed(context, at) >= context.adoptMillisMax,
    isSilent: ({ context }, at: At) => context.silentMillis + passed(context, at) >= context.silenceMillisMax,
    isBreached: ({ context }, { breached }: { readonly breached: string | null }) =>
      breached !== null && context.breaches + 1 >= context.breachesMax,
    isElsewhere: (_, { base }: { readonly base?: SnapshotRef }) => base !== undefined,
    /** Not by the clock alone: the last reading says that all is well. */
    isWatched: ({ context }, at: At & { readonly breached: string | null }) =>
      at.breached === null && elapsed(context, at) >= context.watchMillis,
  },
  actions: {
    // Holes, filled with `machine.provide`. Each may happen twice.
    judge: (_args, _target: SnapshotRef) => {},
    /** The first `percent` of the customers are served the target, the others the base. */
    publish: (_args, _stage: { readonly target: SnapshotRef; readonly percent: number }) => {},
    restoreBase: (_args, _base: SnapshotRef | null) => {},
    reportEnd: (_args, _end: RolloutEnd) => {},
    propose: assign(
      (
        { context },
        {
          canaryNodes = [],
          nowMillis,
          target,
        }: At & { readonly target: SnapshotRef; readonly canaryNodes?: ReadonlyArray<string> },
      ) => ({
        ...nothing,
        target,
        canaryNodes,
        steps: [...(canaryNodes.length > 0 ? [0] : []), ...plainSteps(context)],
        ...fresh,
        lastMillis: nowMillis,
      }),
    ),
    enter: assign((_, { nowMillis }: At) => ({ ...fresh, lastMillis: nowMillis, breaches: 0 })),
    pass: assign(({ context }, at: At) => ({
      lastMillis: at.nowMillis,
      elapsedMillis: elapsed(context, at),
      silentMillis: context.silentMillis + passed(context, at),
    })),
    takeAll: assign(({ context }, { small }: { readonly small: boolean }) => ({
      small,
      step: context.steps.length - 1,
    })),
    nextStep: assign(({ context }) => ({ step: context.step + 1 })),
    noteReading: assign(({ context }, at: At & { readonly breached: string | null }) => ({
      lastMillis: at.nowMillis,
      elapsedMillis: elapsed(context, at),
      silentMillis: 0,
      breaches: at.breached === null ? 0 : context.breaches + 1,
    })),
    noteReason: assign((_, { reason }: { readonly reason: string }) => ({ reason })),
    noteBase: assign((_, { base }: { readonly base?: SnapshotRef }) => (base === undefined ? {} : { base })),
    noteUnreturned: assign(({ context }) => ({ reason: `${context.reason}; not every node has gone back in time` })),
    complete: assign(({ context }, { nowMillis }: At) => ({
      ...ended(context, "complete", nowMillis),
      ...over(context),
      base: context.target,
    })),
    refuse: assign(({ context }, { nowMillis, reason }: At & { readonly reason: string }) => ({
      ...ended(context, "refused", nowMillis, reason),
      ...over(context),
    })),
    rolledBack: assign(({ context }, { nowMillis }: At) => ({
      ...ended(context, "rolledBack", nowMillis),
      ...over(context),
    })),
    abandon: assign(({ context }, { nowMillis, reason }: At & { readonly reason: string }) => ({
      ...ended(context, "abandoned", nowMillis, reason),
      ...over(context),
    })),
  },
}).createMachine({
  id: "rollout",
  context: ({ input }) => ({ ...input, ...nothing, ...fresh, lastMillis: 0, last: null }),
  initial: "idle",
  states: {
    idle: {
      on: {
        "snapshot.proposed": {
          target: "gating",
          actions: { type: "propose", params: ({ event }) => event },
        },
      },
    },
    gating: {
      entry: { type: "judge", params: ({ context }) => context.target! },
      on: {
        "gate.passed": [
          {
            guard: { type: "isSmall", params: ({ event }) => event },
            target: "promoting",
            actions: [
              { type: "takeAll", params: ({ event }) => event },
              { type: "enter", params: ({ event }) => event },
            ],
          },
          {
            guard: "isFirst",
            target: "promoting",
            actions: [
              { type: "takeAll", params: { small: false } },
              { type: "enter", params: ({ event }) => event },
            ],
          },
          { target: "promoting", actions: { type: "enter", params: ({ event }) => event } },
        ],
        "gate.refused": {
          target: "idle",
          actions: [
            { type: "refuse", params: ({ event }) => event },
            { type: "reportEnd", params: ({ context }) => context.last! },
          ],
        },
        "rollout.rollBack": {
          target: "idle",
          actions: [
            { type: "abandon", params: ({ event }) => event },
            { type: "reportEnd", params: ({ context }) => context.last! },
          ],
        },
        "control.resumed": { target: "gating", reenter: true },
      },
    },
    /** Nodes are told what to serve, step by step; the first step is the canary. */
    promoting: {
      entry: {
        type: "publish",
        params: ({ context }) => ({ target: context.target!, percent: context.steps[context.step]! }),
      },
      on: {
        "nodes.adopted": [
          {
            guard: "isLastStep",
            target: "idle",
            actions: [
              { type: "complete", params: ({ event }) => event },
              { type: "reportEnd", params: ({ context }) => context.last! },
            ],
          },
          { target: "watching", actions: { type: "enter", params: ({ event }) => event } },
        ],
        "node.refused": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
        "time.passed": [
          {
            guard: { type: "isUnadopted", params: ({ event }) => event },
            target: "rollingBack",
            actions: { type: "noteReason", params: { reason: "nodes did not serve it in time" } },
          },
          { actions: { type: "pass", params: ({ event }) => event } },
        ],
        "rollout.halt": { target: "halted", actions: { type: "noteReason", params: ({ event }) => event } },
        "rollout.rollBack": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
        "control.resumed": {
          target: "promoting",
          reenter: true,
          actions: { type: "enter", params: ({ event }) => event },
        },
      },
    },
    watching: {
      on: {
        "signals.read": [
          {
            guard: { type: "isBreached", params: ({ event }) => event },
            target: "rollingBack",
            actions: { type: "noteReason", params: ({ event }) => ({ reason: event.breached! }) },
          },
          {
            guard: { type: "isWatched", params: ({ event }) => event },
            target: "promoting",
            actions: ["nextStep", { type: "enter", params: ({ event }) => event }],
          },
          { actions: { type: "noteReading", params: ({ event }) => event } },
        ],
        "node.refused": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
        "time.passed": [
          {
            guard: { type: "isSilent", params: ({ event }) => event },
            target: "rollingBack",
            actions: { type: "noteReason", params: ({ event }) => ({ reason: silenceOf(event.silent) }) },
          },
          { actions: { type: "pass", params: ({ event }) => event } },
        ],
        "rollout.halt": { target: "halted", actions: { type: "noteReason", params: ({ event }) => event } },
        "rollout.rollBack": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
        // Nobody watched while it was away: from the beginning.
        "control.resumed": { actions: { type: "enter", params: ({ event }) => event } },
      },
    },
    /** A person has stopped it: whoever has the target keeps it, nobody else gets it. */
    halted: {
      on: {
        "rollout.resume": { target: "promoting", actions: { type: "enter", params: ({ event }) => event } },
        "rollout.rollBack": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
        "node.refused": { target: "rollingBack", actions: { type: "noteReason", params: ({ event }) => event } },
      },
    },
    rollingBack: {
      entry: { type: "restoreBase", params: ({ context }) => context.base },
      on: {
        "base.restored": {
          target: "idle",
          actions: [
            { type: "noteBase", params: ({ event }) => event },
            { type: "rolledBack", params: ({ event }) => event },
            { type: "reportEnd", params: ({ context }) => context.last! },
          ],
        },
        "base.told": {
          target: "returning",
          actions: [
            { type: "noteBase", params: ({ event }) => event },
            { type: "enter", params: ({ event }) => event },
          ],
        },
        "rollout.rollBack": {
          guard: { type: "isElsewhere", params: ({ event }) => event },
          target: "rollingBack",
          reenter: true,
          actions: [
            { type: "noteReason", params: ({ event }) => event },
            { type: "noteBase", params: ({ event }) => event },
          ],
        },
        "control.resumed": { target: "rollingBack", reenter: true },
      },
    },
    /** All are told to go back, and have so long to do it; what does not is told again once nothing is under way. */
    returning: {
      on: {
        "nodes.adopted": {
          target: "idle",
          actions: [
            { type: "rolledBack", params: ({ event }) => event },
            { type: "reportEnd", params: ({ context }) => context.last! },
          ],
        },
        "time.passed": [
          {
            guard: { type: "isUnadopted", params: ({ event }) => event },
            target: "idle",
            actions: [
              "noteUnreturned",
              { type: "rolledBack", params: ({ event }) => event },
              { type: "reportEnd", params: ({ context }) => context.last! },
            ],
          },
          { actions: { type: "pass", params: ({ event }) => event } },
        ],
        "control.resumed": { actions: { type: "enter", params: ({ event }) => event } },
      },
    },
  },
});
