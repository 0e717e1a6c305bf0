import { DateTime } from "effect";
import type {
  ActorFrame,
  Frame,
  ShownSnapshot,
  SnapshotFrame,
  Transition,
} from "../../observability/inspection/frame.ts";

interface Place {
  readonly flow: string;
  readonly delivery: string;
}

/** Frames as lines for people: one for each transition, the ones from before watching first. */
export class TransitionLines {
  private place: Place | undefined;
  private batch = "";
  private newestMillis = 0;

  /** Most frames are not worth a line. */
  of(frame: Frame): ReadonlyArray<string> {
    switch (frame.type) {
      case "@xstate.actor":
        return this.begun(frame);
      case "@xstate.snapshot":
        return this.stepped(frame);
      case "@spillway.rest":
        return [...this.before(frame.recent), `${timeOf(frame.createdAt)}  ${frame.text}`];
      case "@spillway.lost":
        return [`${timeOf(frame.createdAt)}  … ${frame.events} events were too many to send`];
      default:
        return [];
    }
  }

  private begun({ createdAt, recent, snapshot }: ActorFrame): ReadonlyArray<string> {
    const earlier = this.before(recent);
    this.place = placeOf(snapshot);
    const now = `flow ${this.place.flow}, delivery ${this.place.delivery}`;
    return [...earlier, `${timeOf(createdAt)}  ${"(now)".padEnd(eventWidth)}  ${now}${this.detail(snapshot)}`];
  }

  private before(recent: ReadonlyArray<Transition>): ReadonlyArray<string> {
    return recent.flatMap((transition) => {
      if (transition.millis <= this.newestMillis) return [];
      this.newestMillis = transition.millis;
      return [this.line(String(transition.millis), transition.event, transition, "")];
    });
  }

  private stepped({ createdAt, event, snapshot }: SnapshotFrame): ReadonlyArray<string> {
    this.newestMillis = Number(createdAt);
    if (snapshot.status !== "active")
      return [`${timeOf(createdAt)}  ${event.type}: the actor ended, ${snapshot.status}`];
    const next = placeOf(snapshot);
    const detail = this.detail(snapshot);
    if (next.flow === this.place?.flow && next.delivery === this.place.delivery) return [];
    return [this.line(createdAt, event.type, next, detail)];
  }

  private line(millis: string, event: string, next: Place, detail: string): string {
    const before = this.place;
    this.place = next;
    const step = (name: keyof Place) =>
      before === undefined || before[name] === next[name] ? undefined : `${name} ${before[name]} → ${next[name]}`;
    const steps = [step("flow"), step("delivery")].filter((each) => each !== undefined);
    const text = steps.length === 0 ? `flow ${next.flow}, delivery ${next.delivery}` : steps.join(", ");
    return `${timeOf(millis)}  ${eventName(event).padEnd(eventWidth)}  ${text}${detail}`;
  }

  /** The batch in the balance, or the one that has just left it, and which attempt of it this is. */
  private detail({ context }: ShownSnapshot): string {
    const { batch, failures } = (context ?? {}) as {
      readonly batch?: { readonly first: number; readonly last: number; readonly records: number } | null;
      readonly failures?: number;
    };
    const last = this.batch;
    this.batch =
      batch == null
        ? ""
        : `  batch ${batch.first}–${batch.last}, ${batch.records} records, attempt ${(failures ?? 0) + 1}`;
    return this.batch === "" ? last : this.batch;
  }
}

const eventWidth = 20;

/** As the chart writes it. */
const eventName = (type: string): string => type.replace(/^xstate\.after\.([^.]+)\..*$/, "after $1");

const timeOf = (millis: string): string => DateTime.formatIso(DateTime.makeUnsafe(Number(millis))).slice(11, 23);

const placeOf = ({ value }: ShownSnapshot): Place => {
  const { delivery, flow } = value as { readonly delivery: unknown; readonly flow: unknown };
  return { flow: flat(flow), delivery: flat(delivery) };
};

const flat = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Object.entries(value as object)
        .map(([key, child]) => `${key}.${flat(child)}`)
        .join();
