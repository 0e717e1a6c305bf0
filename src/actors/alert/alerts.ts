import { Clock, Effect, Metric, type Scope } from "effect";
import { alertSignals, type AlertSignal } from "../../domain/alert-rule.ts";
import { alertEvaluations, alertsLeftOut, alertSignalOf, alertsOf } from "../../observability/alert-metrics.ts";
import type { AlertNotifier } from "../ports/alert-notifier.ts";
import { AlertSignals, type Readings } from "../ports/alert-signals.ts";
import { AlertBook, type AlertBookOptions } from "./alert-book.ts";

export interface AlertsOptions extends AlertBookOptions {
  readonly notifiers: ReadonlyArray<AlertNotifier>;
}

/** All rules, evaluated regularly for as long as the scope is open. Nothing that goes wrong in it ends it. */
export const runAlerts = Effect.fnUntraced(function* (
  options: AlertsOptions,
): Effect.fn.Return<AlertBook, never, AlertSignals | Scope.Scope> {
  const signals = yield* AlertSignals;
  const book = new AlertBook(options);
  const evaluate = Effect.gen(function* () {
    const readings = yield* signals.read;
    const told = book.evaluate(readings, yield* Clock.currentTimeMillis);
    yield* publish(book, options, readings);
    for (const notification of told) {
      for (const notifier of options.notifiers) yield* notifier.notify(notification);
    }
    yield* Metric.update(alertEvaluations, 1);
  }).pipe(Effect.catchCause((cause) => Effect.logError("Alert rules could not be evaluated; again later.", cause)));
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(evaluate, Effect.sleep(options.rules.evaluateSeconds * 1_000))),
  );
  return book;
});

const publish = Effect.fnUntraced(function* (book: AlertBook, { rules }: AlertsOptions, { list }: Readings) {
  const worst = new Map<AlertSignal, number>();
  for (const { signal, value } of list) worst.set(signal, Math.max(worst.get(signal) ?? 0, value));
  for (const signal of alertSignals) yield* Metric.update(alertSignalOf(signal), worst.get(signal) ?? 0);
  const alerts = book.alerts();
  for (const { id } of rules.rules) {
    for (const state of ["pending", "firing"] as const) {
      const count = alerts.filter((alert) => alert.rule.id === id && alert.state === state).length;
      yield* Metric.update(alertsOf(id, state), count);
    }
    yield* Metric.update(alertsLeftOut(id), book.leftOut().get(id) ?? 0);
  }
});
