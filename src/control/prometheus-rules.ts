import { stringify } from "yaml";
import type { AlertRule, AlertRules } from "../domain/alert-rule.ts";

/**
 * The rules as a rule file for Prometheus. A node's `/metrics` has the worst value of each signal, never a job: the
 * alert says that there is something, `spillway alerts` says what.
 */
export const prometheusRules = ({ rules }: AlertRules): string =>
  stringify({ groups: [{ name: "spillway", rules: [...rules.map(ruleOf), nobodyWatches] }] }, { lineWidth: 0 });

const ruleOf = (rule: AlertRule) => ({
  alert: `Spillway${rule.id[0]!.toUpperCase()}${rule.id.slice(1)}`,
  expr: `${metricOf(rule)} ${rule.comparison} ${rule.threshold}`,
  ...(rule.forSeconds === 0 ? {} : { for: `${rule.forSeconds}s` }),
  ...(rule.keepSeconds === 0 ? {} : { keep_firing_for: `${rule.keepSeconds}s` }),
  labels: { severity: rule.severity },
  annotations: annotationsOf(rule),
});

const metricOf = ({ metric, signal }: AlertRule): string => metric ?? `spillway_alert_signal{signal="${signal}"}`;

const annotationsOf = ({ description, runbook, summary }: Pick<AlertRule, "description" | "runbook" | "summary">) => ({
  summary: plain(summary),
  description: plain(description),
  runbook,
});

/** Annotations are templates to Prometheus. */
const plain = (text: string): string => text.replaceAll("{{", "{ {");

/** What only somebody outside the node can see. */
const nobodyWatches = {
  alert: "SpillwayAlertsNotEvaluated",
  expr: "increase(spillway_alert_evaluations_total[5m]) == 0",
  for: "1m",
  labels: { severity: "critical" },
  annotations: annotationsOf({
    summary: "A node evaluates no alert rules",
    description: "The node answers /metrics, and no longer looks after itself. Keep its logs and restart it.",
    runbook: "docs/OPERATING.md#alerts",
  }),
};
