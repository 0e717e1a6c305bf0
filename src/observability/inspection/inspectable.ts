import type { InspectionEvent } from "xstate";
import type { BufferFigures, RestReason, Transition } from "./frame.ts";

/** What watching needs of a buffer's actor. */
export interface InspectableActor {
  readonly delivery: () => string;
  readonly flow: () => string;
  readonly context: () => unknown;
  /** Attaches an observer at run time; answers how to take it off again. */
  readonly inspect: (observer: (event: InspectionEvent) => void) => () => void;
}

/** A push job on this node, seen from outside. Asked again and again: each answer is of that moment. */
export interface InspectableBuffer {
  /** undefined: it has none now. A crashed buffer gets another one. */
  readonly actor: InspectableActor | undefined;
  /** Why it has none. */
  readonly rest: RestReason;
  /** The last transitions, oldest first, of a small ring that is always on. */
  readonly recent: () => ReadonlyArray<Transition>;
  /** undefined: nothing is known of it here. */
  readonly figures: (nowMillis: number) => BufferFigures | undefined;
}

export interface InspectableBuffers {
  /** undefined: there is no such push job on this node. */
  readonly find: (job: string) => InspectableBuffer | undefined;
  /** Of the machine that all buffers run, as JSON text. */
  readonly definition: string;
}
