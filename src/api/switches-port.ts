import { Context, type Effect, Schema } from "effect";
import type { KillSwitch } from "../domain/kill-switch.ts";
import type { ApiUnavailable } from "./ports.ts";
import type { RemovedSwitch, SwitchAnswer, SwitchInput } from "./switch-reports.ts";

/** The switch was not turned on, or not taken away; nothing was changed. */
export class SwitchRefused extends Schema.TaggedError<SwitchRefused>()("SwitchRefused", {
  /** `invalid`: it was asked wrongly. `conflict`: not as things are. `notFound`: it is not on. */
  kind: Schema.Literals(["invalid", "conflict", "notFound"]),
  /** For programs: `invalid_switch`, `stops_nothing`, `switch_exists`, `too_many_switches`, `changed`, `not_on`. */
  code: Schema.String,
  /** For people: why, and what to do. */
  detail: Schema.String,
}) {}

/** Who asks for it, and why: as they say. */
export interface SwitchAccount {
  readonly who: string;
  readonly why: string;
}

/** Kill switches for the API. */
export class SwitchesAdmin extends Context.Service<
  SwitchesAdmin,
  {
    /** Those in force on this node, the oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<KillSwitch>>;
    /**
     * In force on this node when it completes, unless the answer says no, on all others soon; with `dryRun` nothing
     * changes.
     */
    readonly add: (
      input: SwitchInput,
      account: SwitchAccount,
      dryRun: boolean,
    ) => Effect.Effect<SwitchAnswer, SwitchRefused | ApiUnavailable>;
    readonly remove: (
      id: string,
      account: SwitchAccount,
    ) => Effect.Effect<RemovedSwitch, SwitchRefused | ApiUnavailable>;
  }
>()("spillway/api/SwitchesAdmin") {}
