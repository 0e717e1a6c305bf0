import { Clock, Effect } from "effect";
import { initialTransition, transition, type SnapshotFrom } from "xstate";
import {
  type RolloutContext,
  type RolloutEvent,
  rolloutMachine,
  type SnapshotRef,
} from "../../actors/rollout/machine.ts";
import type { AuditNote } from "../../domain/audit-entry.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import type { ConfigPointer } from "../../domain/config-pointer.ts";
import type { ConfigStoreError, Versioned } from "../../streams/config-store.ts";
import type { Aside } from "./aside.ts";
import { noteOfHalt } from "./audit-notes.ts";
import { type ControlOptions, stepsFrom } from "./control-options.ts";
import { type ControlState, loadControlState, saveControlState } from "./control-state.ts";
import type { NodeReports } from "./node-reports.ts";
import type { Proposal } from "./proposal.ts";

type Machine = SnapshotFrom<typeof rolloutMachine>;
/** Why a control process does not go on: it is begun anew, from what is stored. */
export type DeskFailure = ConfigStoreError | string;

export interface Trouble {
  readonly why: string;
  readonly sinceMillis: number;
}

/** What lies before a control process that leads. */
export interface Desk {
  readonly options: ControlOptions;
  readonly reports: NodeReports;
  machine: Machine;
  state: Omit<ControlState, "machine">;
  revision: number;
  /** Is being rolled out, or was refused. */
  proposal: Proposal | undefined;
  /**
   * From what is stored now: all of it, as a person plans and accepts it, and the part that goes out by itself. Neither
   * is made anew because of the other: it would have another hash.
   */
  generated: ReadonlyArray<Proposal>;
  /** The gate refused it, and nothing has changed since. */
  refused: Proposal | undefined;
  /** What was refused, and is not looked at again until it is stored anew or what is in force has changed. */
  aside: Aside | undefined;
  /** What all nodes are told, as far as this process knows: nobody else tells them anything while it leads. */
  told: Versioned<ConfigPointer> | undefined;
  /** What was under way when this process began goes on. */
  isResumed: boolean;
  /** Nothing goes on, since when and why; steady clock. */
  trouble: Trouble | undefined;
  /** The last rollback that the gate refused, whatever was refused since: asked for again, it is the same one. */
  refusedRollback: Proposal | undefined;
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
    generated: [],
    refused: undefined,
    aside: undefined,
    told: pointer,
    isResumed: false,
    trouble: undefined,
    refusedRollback: undefined,
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

const noteHalt = (desk: Desk): void => {
  const { reason, step, steps, target } = desk.machine.context;
  if (target !== null) note(desk, noteOfHalt(desk.options.node, { target, reason, percent: steps[step] ?? 100 }));
};

/** For the audit log: to be stored with the state that it tells of. The same that still waits is not told twice. */
export const note = (desk: Desk, about: AuditNote): void => {
  const { unaudited = [] } = desk.state;
  const last = unaudited.at(-1);
  if (last?.what === about.what && last.why === about.why && last.detail === about.detail) return;
  desk.state = { ...desk.state, unaudited: [...unaudited, about] };
};

const deedTypes: ReadonlySet<string> = new Set(["judge", "publish", "restoreBase", "reportEnd"]);

/** The content of a snapshot of the rollout under way, or in force: kept until that ends. */
export const contentOf = Effect.fnUntraced(function* (
  desk: Desk,
  ref: SnapshotRef,
): Effect.fn.Return<Snapshot, string> {
  const content = yield* readContent(desk, ref);
  if (content !== desk.options.current()) desk.at.set(ref.hash, content);
  return content;
});

/** The content of any snapshot: at hand, served by this node, or stored. */
export const readContent = (desk: Desk, ref: SnapshotRef): Effect.Effect<Snapshot, string> => {
  const { current, fetch } = desk.options;
  const served = current();
  const known =
    desk.at.get(ref.hash) ??
    (served?.hash === ref.hash ? served : undefined) ??
    (desk.proposal?.snapshot.hash === ref.hash ? desk.proposal.snapshot : undefined);
  return known === undefined ? fetch(ref) : Effect.succeed(known);
};

/** What was told to all nodes last. */
export const publishedContent = (desk: Desk): Effect.Effect<Snapshot | undefined, string> =>
  desk.state.published === null ? Effect.undefined : contentOf(desk, desk.state.published);

export const textOf = (failure: unknown): string =>
  typeof failure === "string" ? failure : ((failure as { readonly message?: string }).message ?? String(failure));

export const nowAt = Effect.map(Clock.currentTimeMillis, (nowMillis) => ({ nowMillis }));
