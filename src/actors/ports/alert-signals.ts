import { Context, type Effect } from "effect";
import type { AlertSignal } from "../../domain/alert-rule.ts";

/** A signal's value for one set of labels. */
export interface Reading {
  readonly signal: AlertSignal;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * What there is to say of labels that are not in the list: a value; `unknown`, nobody knows it now; `elsewhere`, it
 * is not for this node to say any more, neither that it is well nor that it is not.
 */
export type Absent = number | "unknown" | "elsewhere";

export interface Readings {
  readonly list: ReadonlyArray<Reading>;
  /** Asked only of labels that there is an alert of. */
  readonly absent: (signal: AlertSignal, labels: Reading["labels"]) => Absent;
  /** How many sets of labels breach a rule and are not in the list, by signal: only the worst few are. */
  readonly unlisted: ReadonlyMap<AlertSignal, number>;
}

/** What alerts are judged by. Answers at once. */
export class AlertSignals extends Context.Service<AlertSignals, { readonly read: Effect.Effect<Readings> }>()(
  "spillway/actors/ports/AlertSignals",
) {}
