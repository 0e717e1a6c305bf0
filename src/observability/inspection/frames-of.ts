import type { AnyTransitionDefinition, InspectionEvent } from "xstate";
import type { Frame, FrameHead, ShownEvent, ShownSnapshot, ShownTransition } from "./frame.ts";
import { redactPayload } from "./redact-payload.ts";

/**
 * One inspection event of XState's as frames, redacted. `@xstate.actor` gives none: an observer that attaches at run
 * time never sees it, and the watch makes its own. Nor does `@xstate.transition`, which repeats the microsteps.
 *
 * @param sourceOf the session of an actor, which XState numbers and we name
 */
export const framesOf = (
  event: InspectionEvent,
  head: FrameHead,
  sourceOf: (sessionId: string) => string,
): ReadonlyArray<Frame> => {
  switch (event.type) {
    case "@xstate.event": {
      const sourceId = sessionOf(event.sourceRef);
      const source = sourceId === undefined ? {} : { sourceId: sourceOf(sourceId) };
      return [{ ...head, type: event.type, event: shownEvent(event.event), ...source }];
    }
    case "@xstate.microstep": {
      const transitions = event._transitions;
      return [
        ...transitions.flatMap((transition) => guardFrames(transition, head)),
        {
          ...head,
          type: event.type,
          event: shownEvent(event.event),
          value: (event.snapshot as { readonly value?: unknown }).value,
          transitions: transitions.map(shownTransition),
        },
      ];
    }
    case "@xstate.action":
      return [
        {
          ...head,
          type: event.type,
          action: { type: event.action.type, params: redactPayload(event.action.params) ?? null },
        },
      ];
    case "@xstate.snapshot":
      return [{ ...head, type: event.type, event: shownEvent(event.event), snapshot: shownSnapshot(event.snapshot) }];
    default:
      return [];
  }
};

const sessionOf = (actor: unknown): string | undefined =>
  (actor as { readonly sessionId?: string } | undefined)?.sessionId;

const shownEvent = (event: { readonly type: string }): ShownEvent => redactPayload(event) as ShownEvent;

/** What the snapshot's own `toJSON` leaves, with its context and error redacted. */
export const shownSnapshot = (snapshot: unknown): ShownSnapshot => {
  const {
    children: _children,
    context,
    error,
    output,
    status,
    tags,
    value,
  } = snapshot as {
    readonly [field: string]: unknown;
  };
  return {
    status: String(status),
    value,
    context: redactPayload(context),
    tags: tags instanceof Set ? [...tags] : [],
    historyValue: {},
    // Buffers' machines have no children.
    children: {},
    ...(output === undefined ? {} : { output: redactPayload(output) }),
    ...(error === undefined ? {} : { error: (redactPayload({ error }) as { readonly error: unknown }).error }),
  };
};

const shownTransition = ({ actions, eventType, guard, source, target }: AnyTransitionDefinition): ShownTransition => ({
  eventType,
  source: source.id,
  targets: (target ?? []).map(({ id }) => id),
  guard: nameOf(guard) ?? null,
  actions: actions.map((action) => nameOf(action) ?? "inline"),
});

const guardFrames = (taken: AnyTransitionDefinition, head: FrameHead): ReadonlyArray<Frame> => {
  const { eventType, source } = taken;
  const candidates = eventType === "" ? (source.always ?? []) : (source.transitions.get(eventType) ?? []);
  const place = candidates.indexOf(taken);
  return candidates.slice(0, place + 1).flatMap((candidate, i): ReadonlyArray<Frame> => {
    const type = nameOf(candidate.guard);
    if (type === undefined) return [];
    return [{ ...head, type: "@xstate.guard", guard: { type }, source: source.id, passed: i === place, derived: true }];
  });
};

/** Guards and actions are names, objects with a name, or functions. */
const nameOf = (named: unknown): string | undefined => {
  if (named === undefined || named === null) return undefined;
  if (typeof named === "string") return named;
  if (typeof named === "function") return named.name === "" ? "inline" : named.name;
  const { type } = named as { readonly type?: unknown };
  return typeof type === "string" ? type : "inline";
};
