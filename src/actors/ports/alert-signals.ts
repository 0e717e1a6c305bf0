import { Context, type Effect } from "effect";
import type { AlertSignal } from "../../domain/alert-rule.ts";

/** A signal's value for one set of labels. */
export interface Reading {
  readonly signal: AlertSignal;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Readings {
  readonly list: ReadonlyArray<Reading>;
  /** How many sets of labels breach a rule and are not in the list, by signal: only the worst few are. */
  readonly unlisted: ReadonlyMap<AlertSignal, number>;
}

/** What alerts are judged by. Answers at once; a set of labels that is not listed has nothing to complain of. */
export class AlertSignals extends Context.Service<AlertSignals, { readonly read: Effect.Effect<Readings> }>()(
  "spillway/actors/ports/AlertSignals",
) {}
