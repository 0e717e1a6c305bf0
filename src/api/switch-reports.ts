import { Schema } from "effect";
import { KillSwitch, SwitchKind, SwitchStops } from "../domain/kill-switch.ts";
import { SwitchEffect } from "../domain/switch-effect.ts";

/** The longest that a switch may be told to last: a longer one is for somebody to take away. */
const secondsMax = 30 * 86_400;

/** What `POST /v1/switches` takes. */
export const SwitchInput = Schema.Struct({
  kind: SwitchKind,
  /** A destination host as `GET /v1/hosts` names it, a customer, a dataset; left out for `everything`. */
  target: Schema.optionalKey(Schema.String),
  /** `delivery` when left out. */
  stops: Schema.optionalKey(SwitchStops),
  /** It ends by itself after so long. */
  forSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: secondsMax }))),
  /** Also when it stops no push job: it may have been misspelt. */
  force: Schema.optionalKey(Schema.Boolean),
  /** One of the same target that is on is replaced. */
  replace: Schema.optionalKey(Schema.Boolean),
});
export type SwitchInput = typeof SwitchInput.Type;

/** Only when it is false: it is stored, and the node that was asked has not been able to read it yet. */
const applied = Schema.optionalKey(Schema.Literal(false));

/** The switch and what it holds; with `dryRun`, nothing was changed. */
export const SwitchAnswer = Schema.Struct({
  dryRun: Schema.Boolean,
  switch: KillSwitch,
  effect: SwitchEffect,
  applied,
});
export type SwitchAnswer = typeof SwitchAnswer.Type;

export const SwitchList = Schema.Struct({ switches: Schema.Array(KillSwitch) });
export type SwitchList = typeof SwitchList.Type;

export const RemovedSwitch = Schema.Struct({ switch: KillSwitch, applied });
export type RemovedSwitch = typeof RemovedSwitch.Type;
