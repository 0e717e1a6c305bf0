import { Metric } from "effect";
import type { AlertSignal } from "../domain/alert-rule.ts";

/** Metrics of alerts. Labels are rules, signals and states; a job is never one of them: ask `GET /v1/alerts`. */

const signal = Metric.gauge("spillway_alert_signal", {
  description: "What alerts are judged by: the worst value of each signal, over everything that has it.",
});
export const alertSignalOf = (name: AlertSignal) => Metric.withAttributes(signal, { signal: name });

const alerts = Metric.gauge("spillway_alerts", { description: "Alerts by rule and state." });
export const alertsOf = (rule: string, state: string) => Metric.withAttributes(alerts, { rule, state });

const leftOut = Metric.gauge("spillway_alerts_left_out", {
  description: "What breaches a rule and has no alert of its own, for there are too many, by rule.",
});
export const alertsLeftOut = (rule: string) => Metric.withAttributes(leftOut, { rule });

export const alertEvaluations = Metric.counter("spillway_alert_evaluations_total", {
  description: "Evaluations of all alert rules: when it stands still, nobody watches.",
  incremental: true,
});

const notifications = Metric.counter("spillway_alert_notifications_total", {
  description: "Notifications by notifier and what became of them: delivered, failed, dropped.",
  incremental: true,
});
export const alertNotifications = (notifier: string, result: "delivered" | "failed" | "dropped") =>
  Metric.withAttributes(notifications, { notifier, result });
