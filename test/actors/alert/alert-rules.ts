import type { AlertRule, AlertRules } from "../../../src/domain/alert-rule.ts";

/** A rule for tests: fires at once above 0, unless told otherwise. */
export const aRule = (over: Partial<AlertRule> = {}): AlertRule => ({
  id: "jobSuspended",
  severity: "warning",
  scope: "cluster",
  summary: "A push job is suspended",
  description: "Do something.",
  runbook: "docs/OPERATING.md#alert-jobsuspended",
  signal: "jobSuspended",
  comparison: ">",
  threshold: 0,
  forSeconds: 0,
  keepSeconds: 0,
  ...over,
});

export const rulesOf = (...rules: [AlertRule, ...Array<AlertRule>]): AlertRules => ({
  evaluateSeconds: 2,
  repeatSeconds: 60,
  rules,
});
