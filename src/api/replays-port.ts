import { Context, type Effect, Schema } from "effect";
import type { ApiUnavailable } from "./ports.ts";
import type { ReplayInput, ReplayShown } from "./replay-reports.ts";

/** The replay was not begun. */
export class ReplayNotStarted extends Schema.TaggedError<ReplayNotStarted>()("ReplayNotStarted", {
  /** `notFound`: no such job. `invalid`: it was asked wrongly. `conflict`: not now, or not here. */
  kind: Schema.Literals(["notFound", "invalid", "conflict"]),
  code: Schema.String,
  detail: Schema.String,
}) {}

/** Replays as the API serves them. */
export class ReplaysAdmin extends Context.Service<
  ReplaysAdmin,
  {
    readonly start: (job: string, input: ReplayInput) => Effect.Effect<ReplayShown, ReplayNotStarted | ApiUnavailable>;
    /** Running and ended ones of this node, the newest first. */
    readonly list: Effect.Effect<ReadonlyArray<ReplayShown>, ApiUnavailable>;
    /** Undefined: there is none of this id. */
    readonly cancel: (id: string) => Effect.Effect<ReplayShown | undefined, ApiUnavailable>;
  }
>()("spillway/api/ReplaysAdmin") {}
