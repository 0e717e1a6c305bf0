import { Context, type Effect, Schema } from "effect";
import type { ConfigDiff, ConfigPlan, ConfigStatus, RolloutRecord } from "../domain/config-report.ts";
import type { ApiUnavailable } from "./ports.ts";

/** The control process does not do that now; nothing was changed. */
export class ConfigConflict extends Schema.TaggedError<ConfigConflict>()("ConfigConflict", {
  /** For people: why, and what to do. */
  message: Schema.String,
}) {}

/** There is no snapshot of this number (any more). */
export class SnapshotNotFound extends Schema.TaggedError<SnapshotNotFound>()("SnapshotNotFound", {
  number: Schema.Int,
}) {}

/** What was asked for does not make sense; nothing was changed. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  /** For people: why, and what to do. */
  message: Schema.String,
}) {}

interface Asked {
  readonly who: string;
  readonly why: string;
}
type Changed = Effect.Effect<ConfigStatus, ApiUnavailable | ConfigConflict | ConfigInvalid | SnapshotNotFound>;

/** The configuration's control process, wherever it runs in the cluster. `ApiUnavailable`: nobody leads just now. */
export class ConfigControl extends Context.Service<
  ConfigControl,
  {
    readonly status: Effect.Effect<ConfigStatus, ApiUnavailable>;
    readonly plan: Effect.Effect<ConfigPlan, ApiUnavailable>;
    /** Newest first. */
    readonly history: (limit: number) => Effect.Effect<ReadonlyArray<RolloutRecord>, ApiUnavailable>;
    readonly diff: (from: number, to: number) => Effect.Effect<ConfigDiff, ApiUnavailable | SnapshotNotFound>;
    /** Answers when the rollout has begun, not when it has ended: `status` tells how it goes on. */
    readonly apply: (
      request: Asked & {
        readonly accept: string | null;
        /** These go first; none: a share of the customers does. */
        readonly canaryNodes: ReadonlyArray<string>;
        readonly unfreeze: boolean;
      },
    ) => Changed;
    readonly rollback: (request: Asked & { readonly to: number | null; readonly accept: string | null }) => Changed;
    readonly freeze: (request: Asked) => Changed;
    readonly unfreeze: (request: Asked) => Changed;
    readonly halt: (request: Asked) => Changed;
    readonly resume: (request: Asked) => Changed;
  }
>()("spillway/api/ConfigControl") {}
