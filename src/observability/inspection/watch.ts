import type { InspectionEvent } from "xstate";
import { type Frame, type FrameHead, formatVersion, type RestReason, restTexts } from "./frame.ts";
import { framesOf, shownSnapshot } from "./frames-of.ts";
import type { InspectableActor, InspectableBuffer, InspectableBuffers } from "./inspectable.ts";

/** Where frames go. */
export interface FrameSink {
  /** False: it is too slow just now; what happens meanwhile is counted as lost and costs nothing more. */
  readonly isReady: () => boolean;
  readonly send: (frame: Frame) => void;
}

/**
 * One watcher of one push job. Its observer runs inside the actor's own steps, so that it must neither throw nor wait:
 * a frame that cannot be made or sent is lost and counted, and the buffer notices nothing.
 */
export class Watch {
  private readonly job: string;
  private readonly buffers: InspectableBuffers;
  private readonly sink: FrameSink;
  private readonly nowMillis: () => number;
  private actor: InspectableActor | undefined;
  private detach: (() => void) | undefined;
  private sessions = 0;
  private lost = 0;
  private lastFigures = "";
  private restedFor: RestReason | undefined;

  constructor(job: string, buffers: InspectableBuffers, sink: FrameSink, nowMillis: () => number) {
    this.job = job;
    this.buffers = buffers;
    this.sink = sink;
    this.nowMillis = nowMillis;
  }

  /** Attaches, also to the next actor after a crash. To be called now and then. False: there is no such job. */
  check(): boolean {
    const buffer = this.buffers.find(this.job);
    if (buffer === undefined) return false;
    this.tellLost();
    if (buffer.actor === undefined) this.rest(buffer);
    else if (buffer.actor !== this.actor) this.attach(buffer, buffer.actor);
    return true;
  }

  /** Sends the row's figures when they have changed since they were sent last. */
  sendFigures(): void {
    const figures = this.buffers.find(this.job)?.figures(this.nowMillis());
    if (figures === undefined || !this.sink.isReady()) return;
    const text = JSON.stringify(figures);
    if (text === this.lastFigures) return;
    this.lastFigures = text;
    this.sink.send({ ...this.head(), type: "@spillway.figures", figures });
  }

  /** Takes the observer off: the buffer pays nothing any more. */
  close(): void {
    this.detach?.();
    this.detach = undefined;
    this.actor = undefined;
  }

  private attach(buffer: InspectableBuffer, actor: InspectableActor): void {
    this.close();
    this.actor = actor;
    this.restedFor = undefined;
    this.sessions += 1;
    this.sink.send({
      ...this.head(),
      type: "@xstate.actor",
      name: `buffer/${this.job}`,
      definition: this.buffers.definition,
      snapshot: shownSnapshot({
        status: "active",
        value: { flow: flowValue(actor.flow()), delivery: actor.delivery() },
        context: actor.context(),
      }),
      recent: buffer.recent(),
    });
    this.detach = actor.inspect((event) => this.observe(event));
  }

  private rest(buffer: InspectableBuffer): void {
    this.close();
    const { rest: reason } = buffer;
    if (this.restedFor === reason) return;
    this.restedFor = reason;
    this.sink.send({
      ...this.head(),
      type: "@spillway.rest",
      reason,
      text: restTexts[reason],
      recent: buffer.recent(),
    });
  }

  private observe(event: InspectionEvent): void {
    try {
      if (!this.sink.isReady()) {
        this.lost += 1;
        return;
      }
      this.tellLost();
      for (const frame of framesOf(event, this.head(), () => this.sessionId())) this.sink.send(frame);
    } catch {
      // XState runs observers inside the actor's step: thrown on, this would crash the buffer.
      this.lost += 1;
    }
  }

  private tellLost(): void {
    if (this.lost === 0 || !this.sink.isReady()) return;
    const events = this.lost;
    this.lost = 0;
    this.sink.send({ ...this.head(), type: "@spillway.lost", events });
  }

  /** XState's own ids begin anew with each process and say nothing; a buffer's name does. */
  private sessionId(): string {
    return `buffer/${this.job}#${Math.max(1, this.sessions)}`;
  }

  private head(): FrameHead {
    const sessionId = this.sessionId();
    return { sessionId, rootId: sessionId, createdAt: String(this.nowMillis()), id: null, _version: formatVersion };
  }
}

/** `overloaded.refuse` → `{ overloaded: "refuse" }`: a state value of XState's. */
const flowValue = (flow: string): unknown => {
  const [parent, child] = flow.split(".");
  return child === undefined ? flow : { [parent!]: child };
};
