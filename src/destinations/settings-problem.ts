import type { PushOutcome } from "../domain/push-outcome.ts";
import { rejected } from "../domain/push-outcome.ts";
import { oneLine } from "./detail.ts";

/** Why settings can never work. `text` is for the person who wrote them: it names the setting, never a secret. */
export interface SettingsProblem {
  readonly reason: "invalid-settings" | "blocked-address";
  readonly text: string;
}

export const invalid = (text: string): SettingsProblem => ({ reason: "invalid-settings", text });

export const blocked = (text: string): SettingsProblem => ({ reason: "blocked-address", text });

/** Settings ready for use, or everything that is wrong with them. */
export type Derived<Settings> =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: ReadonlyArray<SettingsProblem> };

/** The outcome of every push to a destination whose settings cannot work. */
export const problemsOutcome = (problems: ReadonlyArray<SettingsProblem>): PushOutcome => {
  const blockedOnly = problems.every(({ reason }) => reason === "blocked-address");
  return rejected(
    blockedOnly ? "blocked-address" : "invalid-settings",
    oneLine(problems.map(({ text }) => text).join("; ")),
  );
};
