import { Context } from "effect";

/** Who changes something, and why, as they say. */
export interface Account {
  readonly who: string;
  /** Empty: no reason was given. */
  readonly why: string;
}

/** On whose account a push job is written now: kept with the revision. By default nobody says. */
export const ChangedBy = Context.Reference<Account>("spillway/actors/ports/ChangedBy", {
  defaultValue: () => ({ who: "", why: "" }),
});
