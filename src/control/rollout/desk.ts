import { Clock, Effect } from "effect";
import { initialTransition, transition, type SnapshotFrom } from "xstate";
import {
  type RolloutContext,
  type RolloutEvent,
  rolloutMachine,
  type SnapshotRef,
} from "../../actors/rollout/machine.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import type { ConfigStoreError } from "../../streams/config-store.ts";
import { noteOfHalt } from "./audit-notes.ts";
import { type ControlOptions, stepsFrom } from "./control-options.ts";
import { type ControlState, loadControlState, saveControlState } from "./control-state.ts";
import type { NodeReports } from "./node-reports.ts";
import type { Proposal } from "./proposal.ts";

type Machine = SnapshotFrom<typeof rolloutMachine>;
/** Why a control process does not go on: it is begun anew, from what is stored. */
export type DeskFailure = ConfigStoreError | string;

/** What lies before a control process that leads. */
export interface Desk {
  readonly options: ControlOptions;
  readonly reports: NodeReports;
  machine: Machine;
  state: Omit<ControlState, "machine">;
  revision: number;
  /** Is being rolled out, or was planned. */
  proposal: Proposal | undefined;
  /** The gate refused it, and nothing has changed since. */
  refused: Proposal | undefined;
  /** The last rollback that the gate refused, whatever was refused since: asked for again, it is the same one. */
  refusedRollback: Proposal | undefined;
  /** The hash whose blast radius a person has accepted. */
  accept: string | null;
  /** Rollouts that had ended when the store was cleared up last. */
  prunedAt: number | undefined;
  /** When it was looked at last what nodes are told; steady clock. */
  toldLookedMillis: number | undefined;
  /** Since when changes come one after the other, and the last one's sequence; steady clock. */
  wave: { readonly position: number; readonly sinceMillis: number; readonly lastMillis: number } | undefined;
  /** Content that is worked with, by hash. */
  readonly at: Map<string, Snapshot>;
}

const fresh = { published: null, highest: 0, frozen: null, accepted: false, last: null, records: 0 } as const;

/** Goes on from what is stored; without it, from what nodes were told last. */
export const openDesk = Effect.fn("control.openDesk")(function* (options: ControlOptions, reports: NodeReports) {
  const { limits, store } = options;
  const input = {
    steps: stepsFrom(limits.rolloutCanaryPercent),
    watchMillis: limits.rolloutWatchMillis,
    adoptMillisMax: limits.rolloutAdoptMillisMax,
    silenceMillisMax: limits.rolloutSilenceMillisMax,
    breachesMax: limits.rolloutBreachesMax,
  };
  const { revision, value } = yield* loadControlState(store);
  const pointer = yield* store.pointer;
  const told = pointer === undefined ? null : { number: pointer.value.number, hash: pointer.value.hash };
  const state = value ?? { ...fresh, published: told };
  const [initial] = initialTransition(rolloutMachine, { ...input, base: told });
  const isIdle = value === undefined || value.machine.value === "idle";
  // What is under way goes on as it was begun; the settings are those of now.
  // Stored by an earlier version, it may lack what is new.
  const context: RolloutContext = { ...initial.context, ...value?.machine.context, ...(isIdle ? input : {}) };
  const desk: Desk = {
    options,
    reports,
    machine: rolloutMachine.resolveState({ value: value?.machine.value ?? "idle", context }),
    // Told to all nodes, and then the process died: it was about to store that.
    state: { ...state, published: state.published ?? told, highest: Math.max(state.highest, told?.number ?? 0) },
    revision,
    proposal: undefined,
    refused: undefined,
    refusedRollback: undefined,
    accept: null,
    prunedAt: undefined,
    toldLookedMillis: undefined,
    wave: undefined,
    at: new Map(),
  };
  return desk;
});

export const saveDesk = Effect.fnUntraced(function* (desk: Desk) {
  const { context, value } = desk.machine;
  const state: ControlState = { ...desk.state, machine: { value, context } };
  desk.revision = yield* saveControlState(desk.options.store, state, desk.revision);
});

/** What the machine wants done, with what. */
export type Deed = { readonly type: string; readonly params: unknown };

/** What has become of it is stored before anything that follows from it is done. */
export const advance = Effect.fnUntraced(function* (desk: Desk, event: RolloutEvent) {
  const before = desk.machine.value;
  const [next, actions] = transition(rolloutMachine, desk.machine, event);
  desk.machine = next;
  const deeds = actions.filter(({ type }) => deedTypes.has(type)).map(({ params, type }): Deed => ({ type, params }));
  if (next.value === "halted" && before !== "halted") noteHalt(desk);
  // Time alone is not worth a write: after a crash, a step is watched from its beginning.
  if (next.value !== before || deeds.length > 0) yield* saveDesk(desk);
  return deeds;
});

/** Stored with the state that it tells of. */
const noteHalt = (desk: Desk): void => {
  const { reason, step, steps, target } = desk.machine.context;
  if (target === null) return;
  const note = noteOfHalt(desk.options.node, { target, reason, percent: steps[step] ?? 100 });
  desk.state = { ...desk.state, unaudited: [...(desk.state.unaudited ?? []), note] };
};

const deedTypes: ReadonlySet<string> = new Set(["judge", "publish", "restoreBase", "reportEnd"]);

/** The content of a snapshot: at hand, served by this node, or stored. */
export const contentOf = Effect.fnUntraced(function* (
  desk: Desk,
  ref: SnapshotRef,
): Effect.fn.Return<Snapshot, string> {
  const { current, fetch } = desk.options;
  const served = current();
  const known =
    desk.at.get(ref.hash) ??
    (served?.hash === ref.hash ? served : undefined) ??
    (desk.proposal?.snapshot.hash === ref.hash ? desk.proposal.snapshot : undefined);
  if (known !== undefined) return known;
  const fetched = yield* fetch(ref);
  desk.at.set(ref.hash, fetched);
  return fetched;
});

/** What was told to all nodes last. */
export const publishedContent = (desk: Desk): Effect.Effect<Snapshot | undefined, string> =>
  desk.state.published === null ? Effect.undefined : contentOf(desk, desk.state.published);

export const nowAt = Effect.map(Clock.currentTimeMillis, (nowMillis) => ({ nowMillis }));
