import { Effect } from "effect";
import type { AlertNotification, AlertNotifier } from "../actors/ports/alert-notifier.ts";

/** Alerts as lines of the node's log. */
export const alertLog: AlertNotifier = {
  name: "log",
  notify: (notification) =>
    levelOf(notification)(`Alert ${notification.news}: ${notification.rule.summary}.`, {
      rule: notification.rule.id,
      severity: notification.rule.severity,
      ...notification.labels,
      value: notification.value,
      threshold: notification.rule.threshold,
      runbook: notification.rule.runbook,
      dedupKey: notification.dedupKey,
    }),
};

const levelOf = ({ news, rule: { severity } }: AlertNotification) => {
  if (news === "resolved" || severity === "info") return Effect.logInfo;
  return severity === "critical" ? Effect.logError : Effect.logWarning;
};
