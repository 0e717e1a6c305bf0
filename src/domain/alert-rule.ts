import { Schema } from "effect";

/** What a node can be asked about; each is a number, and the higher the worse. 0 when nobody says anything. */
export const alertSignals = [
  /** 1 while the newest configuration is a refused one. */
  "configRefused",
  /** 1 from a rollout that went back until one that is complete. */
  "rolloutRolledBack",
  /** 1 while a rollout is halted. */
  "rolloutHalted",
  /** Nodes that do not serve what they are told to. */
  "nodesDiverge",
  /** Seconds since the control plane was last heard of. */
  "snapshotStale",
  /** 1 for each store that this node could not open since it started. */
  "storeNotOpen",
  /** 1 while what this node serves cannot be kept on its disk. */
  "lastKnownGoodUnsaved",
  /** 1 for each kill switch that is on. */
  "killSwitchOn",
  /** 1 for a job whose destination refuses it, or whose buffer is isolated. */
  "jobSuspended",
  /** Percent of a job's quota that its backlog uses, by age or by bytes, whichever is more. */
  "jobLagPercent",
  /** Seconds that a job has had a backlog and no success. */
  "jobSilentSeconds",
  /** Records lost since the last look: expired, shed, or gone from the log. */
  "recordsLost",
  /** Records since the last look that the door took for wanted and the way into the log did not. */
  "recordsUnwanted",
  /** Records that the books cannot explain. */
  "unexplainedRecords",
  /** 0 open, 1 guarded, 2 surging, 3 closed. */
  "admissionState",
  /** Percent of a limit in use. */
  "limitPercent",
] as const;
export type AlertSignal = (typeof alertSignals)[number];

const seconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 604_800 }));
const text = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1_000));

export const AlertRule = Schema.Struct({
  id: Schema.String.check(
    Schema.isPattern(/^[a-z][A-Za-z0-9]{0,63}$/, { message: "must be letters and digits, the first a small letter" }),
  ),
  severity: Schema.Literals(["critical", "warning", "info"]),
  /** `cluster`: whichever node says it, it is the same alert. */
  scope: Schema.Literals(["node", "cluster"]),
  summary: text,
  /** What it means and what to do. */
  description: text,
  /** A section of the operator's manual. */
  runbook: Schema.String.check(
    Schema.isPattern(/^docs\/OPERATING\.md#[a-z0-9-]+$/, { message: "must be docs/OPERATING.md#section" }),
  ),
  signal: Schema.Literals(alertSignals),
  comparison: Schema.Literals([">", ">="]),
  threshold: Schema.Finite,
  /** So long it must be true before the alert fires. */
  forSeconds: seconds,
  /** So long it must be untrue before the alert is resolved: a signal that comes and goes is one alert. */
  keepSeconds: seconds,
  /**
   * Alerts of this rule at once, where it is another number than `alertsPerRuleMax`: where each of them must be
   * seen.
   */
  alertsMax: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))),
  /** PromQL for the signal's value, where `/metrics` has it under a name of its own. */
  metric: Schema.optionalKey(text),
});
export type AlertRule = typeof AlertRule.Type;

export const AlertRules = Schema.Struct({
  /** How often all rules are evaluated. */
  evaluateSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 })),
  /** An alert that goes on is told again after so long. */
  repeatSeconds: Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: 604_800 })),
  rules: Schema.NonEmptyArray(AlertRule).check(
    Schema.makeFilter((rules: ReadonlyArray<AlertRule>) => {
      const ids = rules.map(({ id }) => id);
      const twice = ids.find((id, i) => ids.indexOf(id) !== i);
      return twice === undefined ? undefined : `no two rules may have the same id, got ${twice} twice`;
    }),
  ),
});
export type AlertRules = typeof AlertRules.Type;

export const isBreached = ({ comparison, threshold }: AlertRule, value: number): boolean =>
  comparison === ">" ? value > threshold : value >= threshold;
