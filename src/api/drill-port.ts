import { Context, type Effect, Schema } from "effect";
import type { DrillState, FaultName, GuardName } from "../domain/drill-state.ts";
import type { ApiUnavailable } from "./ports.ts";

/** The node was not started for drills: nothing was changed. */
export class NotInDrill extends Schema.TaggedError<NotInDrill>()("NotInDrill", {}) {}

/** The name is not one of a limit. */
export class UnknownLimit extends Schema.TaggedError<UnknownLimit>()("UnknownLimit", { limit: Schema.String }) {}

/** What drills may do to a node that was started for them. */
export class DrillAdmin extends Context.Service<
  DrillAdmin,
  {
    /** Undefined: the node was not started for drills. */
    readonly state: Effect.Effect<DrillState | undefined>;
    readonly arm: (name: FaultName, seconds: number) => Effect.Effect<DrillState, NotInDrill>;
    /** One fault, or all of them. */
    readonly disarm: (name: FaultName | undefined) => Effect.Effect<DrillState, NotInDrill>;
    /** @param seconds for how long it stays off */
    readonly switchGuard: (name: GuardName, on: boolean, seconds: number) => Effect.Effect<DrillState, NotInDrill>;
    /** Notes limits that a drill has just seen do their work. */
    readonly mark: (
      drill: string,
      limits: ReadonlyArray<string>,
    ) => Effect.Effect<void, NotInDrill | UnknownLimit | ApiUnavailable>;
  }
>()("spillway/api/DrillAdmin") {}
