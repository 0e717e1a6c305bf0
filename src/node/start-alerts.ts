import { Effect, type Redacted } from "effect";
import type { Alert, AlertBook } from "../actors/alert/alert-book.ts";
import { runAlerts } from "../actors/alert/alerts.ts";
import { AlertSignals } from "../actors/ports/alert-signals.ts";
import type { AlertReport, AlertsReport } from "../api/alert-reports.ts";
import { AlertsView } from "../api/alerts-port.ts";
import { loadAlertRules } from "../control/alert-rules.ts";
import type { Limits } from "../domain/limits.ts";
import { alertLog } from "./alert-log.ts";
import { makeAlertSignals } from "./alert-signals.ts";
import { makeAlertWebhook } from "./alert-webhook.ts";
import { makeLimitUses } from "./limit-uses.ts";

export interface StartAlertsOptions {
  readonly limits: Limits;
  readonly nodeName: string;
  readonly alertWebhookUrl: Redacted.Redacted | undefined;
  /** Undefined: the shipped rules. */
  readonly alertRulesFile: string | undefined;
  readonly requestBytes: () => number;
}

/** Loads the rules and evaluates them for as long as the scope is open. */
export const startAlerts = Effect.fnUntraced(function* (options: StartAlertsOptions) {
  const { alertRulesFile, alertWebhookUrl, limits, nodeName } = options;
  const rules = yield* loadAlertRules(alertRulesFile);
  const uses = yield* makeLimitUses(options);
  const signals = yield* makeAlertSignals({ rules: rules.rules, limits, uses });
  const webhook = alertWebhookUrl === undefined ? [] : [yield* makeAlertWebhook({ ...limits, url: alertWebhookUrl })];
  const book = yield* runAlerts({ ...limits, rules, node: nodeName, notifiers: [alertLog, ...webhook] }).pipe(
    Effect.provideService(AlertSignals, signals),
  );
  return AlertsView.of({ report: () => reportOf(book) });
});

const states = ["firing", "pending", "resolved"] as const;
const severities = ["critical", "warning", "info"] as const;

const reportOf = (book: AlertBook): AlertsReport => ({
  alerts: book
    .alerts()
    .map(alertReport)
    .toSorted(
      (a, b) =>
        states.indexOf(a.state) - states.indexOf(b.state) ||
        severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
        a.sinceMillis - b.sinceMillis,
    ),
  leftOut: [...book.leftOut()].flatMap(([rule, count]) => (count === 0 ? [] : [{ rule, count }])),
});

const alertReport = ({ context, dedupKey, labels, rule, state }: Alert): AlertReport => ({
  dedupKey,
  rule: rule.id,
  severity: rule.severity,
  state,
  labels,
  summary: rule.summary,
  description: rule.description,
  runbook: rule.runbook,
  value: context.value,
  threshold: rule.threshold,
  sinceMillis: context.sinceMillis,
  firedMillis: context.firedMillis === 0 ? null : context.firedMillis,
  resolvedMillis: context.resolvedMillis === 0 ? null : context.resolvedMillis,
});
