import type { Effect } from "effect";
import type { AlertRule } from "../../domain/alert-rule.ts";

/** What people are told. Epoch millis. */
export interface AlertNotification {
  /** The same for the whole life of an alert, and for the same alert after a restart. */
  readonly dedupKey: string;
  readonly news: "firing" | "reminder" | "resolved";
  readonly rule: AlertRule;
  readonly labels: Readonly<Record<string, string>>;
  /** The last value that met the rule. */
  readonly value: number;
  /** When the condition was first met. */
  readonly sinceMillis: number;
  readonly nowMillis: number;
  readonly node: string;
}

/** A way to tell people. */
export interface AlertNotifier {
  readonly name: "log" | "webhook";
  /** Takes it on at once: whoever evaluates the rules never waits for a delivery. */
  readonly notify: (notification: AlertNotification) => Effect.Effect<void>;
}
