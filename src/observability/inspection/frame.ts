/**
 * What a watcher of a buffer is sent: JSON in the format of XState's inspector, as `@statelyai/inspect` sends it, with
 * three kinds more (microsteps, actions, guards) and three of our own (`@spillway.…`). Everything is redacted already.
 */
export type Frame =
  | ActorFrame
  | EventFrame
  | SnapshotFrame
  | MicrostepFrame
  | ActionFrame
  | GuardFrame
  | FiguresFrame
  | RestFrame
  | LostFrame;

/** The release of `@statelyai/inspect` whose format this is. */
export const formatVersion = "0.7.2";

export interface FrameHead {
  /** Of the actor, with a number that rises when a crashed buffer gets a new one. */
  readonly sessionId: string;
  /** The same: a buffer's actor is a root. */
  readonly rootId: string;
  /** Epoch millis, as a string: so the format has it. */
  readonly createdAt: string;
  readonly id: null;
  readonly _version: typeof formatVersion;
}

export interface ShownSnapshot {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly [more: string]: unknown;
}

export interface ShownEvent {
  readonly type: string;
  readonly [more: string]: unknown;
}

/** Sent at once when the watcher attaches, and again for the next actor after a crash. */
export interface ActorFrame extends FrameHead {
  readonly type: "@xstate.actor";
  readonly name: string;
  /** The machine's definition, as JSON text. */
  readonly definition: string;
  readonly snapshot: ShownSnapshot;
  /** The last transitions from before attaching, oldest first. Ours: the format has no such field. */
  readonly recent: ReadonlyArray<Transition>;
}

export interface EventFrame extends FrameHead {
  readonly type: "@xstate.event";
  readonly event: ShownEvent;
  readonly sourceId?: string;
}

export interface SnapshotFrame extends FrameHead {
  readonly type: "@xstate.snapshot";
  readonly event: ShownEvent;
  readonly snapshot: ShownSnapshot;
}

export interface MicrostepFrame extends FrameHead {
  readonly type: "@xstate.microstep";
  readonly event: ShownEvent;
  readonly value: unknown;
  readonly transitions: ReadonlyArray<ShownTransition>;
}

/** A transition that was taken. */
export interface ShownTransition {
  readonly eventType: string;
  /** Ids of state nodes. */
  readonly source: string;
  readonly targets: ReadonlyArray<string>;
  readonly guard: string | null;
  readonly actions: ReadonlyArray<string>;
}

export interface ActionFrame extends FrameHead {
  readonly type: "@xstate.action";
  readonly action: { readonly type: string; readonly params: unknown };
}

/**
 * XState 5 says nothing of guards. This is concluded from the transition that was taken: its own guard held, and those
 * of the transitions before it, from the same state and for the same event, did not. Where nothing was taken, nothing
 * is concluded.
 */
export interface GuardFrame extends FrameHead {
  readonly type: "@xstate.guard";
  readonly guard: { readonly type: string };
  readonly source: string;
  readonly passed: boolean;
  readonly derived: true;
}

/** The row's figures, once a second while they change. */
export interface FiguresFrame extends FrameHead {
  readonly type: "@spillway.figures";
  readonly figures: BufferFigures;
}

/** Why a push job has no actor now. */
export type RestReason = "hibernated" | "waiting" | "disabled" | "restarting" | "elsewhere";

/** What follows from it, for people. */
export const restTexts: Readonly<Record<RestReason, string>> = {
  hibernated: "no actor now, for there is nothing to do: the next record wakes it",
  waiting: "no actor now: it waits for a place in memory (residentBuffersMax), and its records are counted meanwhile",
  disabled: "no actor now: its push job is disabled, and what it has pending waits until somebody enables it",
  restarting: "no actor now: the last one crashed, and the next is about to start",
  elsewhere: "no actor here: this node does not own its partition now",
};

/** The job has no actor now. Sent again when the reason is another one; an actor that comes is attached to. */
export interface RestFrame extends FrameHead {
  readonly type: "@spillway.rest";
  readonly reason: RestReason;
  /** One of `restTexts`. */
  readonly text: string;
  readonly recent: ReadonlyArray<Transition>;
}

/** The watcher was too slow: so much was not sent to it. */
export interface LostFrame extends FrameHead {
  readonly type: "@spillway.lost";
  /** Inspection events of XState's. */
  readonly events: number;
}

/** One step of a buffer's actor that led to another state. */
export interface Transition {
  /** Epoch millis. */
  readonly millis: number;
  readonly event: string;
  readonly flow: string;
  readonly delivery: string;
}

/** Where a buffer stands. Records and uncompressed bytes. */
export interface BufferFigures {
  readonly customer: string;
  readonly dataset: string;
  readonly destination: string;
  readonly revision: number;
  /** null: no actor. */
  readonly delivery: string | null;
  readonly flow: string | null;
  readonly cursor: number;
  readonly lagMillis: number;
  readonly failures: number;
  readonly crashes: number;
  readonly windowBytes: number;
  readonly books: Readonly<Record<string, { readonly records: number; readonly bytes: number }>>;
  readonly unexplainedRecords: number;
  readonly lastSuccessMillis: number | null;
  readonly lastErrorMillis: number | null;
  readonly lastError: string | null;
  /** Why it was quarantined. */
  readonly evidence: Readonly<Record<string, unknown>> | null;
}
