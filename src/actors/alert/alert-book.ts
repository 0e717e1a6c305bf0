import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { type AlertRule, type AlertRules, type AlertSignal, isBreached } from "../../domain/alert-rule.ts";
import type { AlertNotification } from "../ports/alert-notifier.ts";
import type { Absent, Reading, Readings } from "../ports/alert-signals.ts";
import { type AlertContext, type AlertEvent, alertMachine, type AlertNews } from "./machine.ts";

export interface AlertBookOptions {
  readonly rules: AlertRules;
  readonly node: string;
  /** Alerts of one rule at once, where the rule says nothing else; others are counted. */
  readonly alertsPerRuleMax: number;
}

export type AlertState = "pending" | "firing" | "resolved";

/** One alert as it stands. */
export interface Alert {
  readonly dedupKey: string;
  readonly rule: AlertRule;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: AlertState;
  readonly context: AlertContext;
}

interface Instance {
  readonly dedupKey: string;
  readonly labels: Readonly<Record<string, string>>;
  snapshot: SnapshotFrom<typeof alertMachine>;
}

/** A resolved alert is shown for so long. */
const rememberMillis = 900_000;

/** All alerts of a node. Synchronous: whoever evaluates brings readings and time, and tells people what comes out. */
export class AlertBook {
  private readonly options: AlertBookOptions;
  private readonly byRule: ReadonlyArray<{ readonly rule: AlertRule; readonly instances: Map<string, Instance> }>;
  private readonly omitted = new Map<string, number>();

  constructor(options: AlertBookOptions) {
    this.options = options;
    this.byRule = options.rules.rules.map((rule) => ({ rule, instances: new Map() }));
  }

  evaluate({ absent, list, unlisted }: Readings, nowMillis: number): ReadonlyArray<AlertNotification> {
    const bySignal = new Map<AlertSignal, Map<string, Reading>>();
    for (const reading of list) {
      let readings = bySignal.get(reading.signal);
      if (readings === undefined) bySignal.set(reading.signal, (readings = new Map()));
      const key = keyOf(reading.labels);
      const before = readings.get(key);
      if (before === undefined || before.value < reading.value) readings.set(key, reading);
    }
    const told: Array<AlertNotification> = [];
    for (const { instances, rule } of this.byRule) {
      const readings = bySignal.get(rule.signal) ?? new Map<string, Reading>();
      const others = unlisted.get(rule.signal) ?? 0;
      const valueOf = (key: string, labels: Reading["labels"]): Absent => {
        const listed = readings.get(key);
        if (listed !== undefined) return listed.value;
        const value = absent(rule.signal, labels);
        // Who is missing from a list that is cut may only have been left out of it.
        return value === 0 && others > 0 ? "unknown" : value;
      };
      this.continueAll(rule, instances, valueOf, nowMillis, told);
      this.omitted.set(rule.id, others + this.beginNew(rule, instances, readings, nowMillis, told));
    }
    return told;
  }

  /** Every alert that is pending, firing, or was resolved lately. */
  alerts(): ReadonlyArray<Alert> {
    return this.byRule.flatMap(({ instances, rule }) =>
      [...instances.values()].map(({ dedupKey, labels, snapshot }) => ({
        dedupKey,
        rule,
        labels,
        state: snapshot.value as AlertState,
        context: snapshot.context,
      })),
    );
  }

  /** How many sets of labels breach a rule without an alert of their own, by rule. */
  leftOut(): ReadonlyMap<string, number> {
    return this.omitted;
  }

  /** Alerts that there are already. */
  private continueAll(
    rule: AlertRule,
    instances: Map<string, Instance>,
    valueOf: (key: string, labels: Reading["labels"]) => Absent,
    nowMillis: number,
    told: Array<AlertNotification>,
  ): void {
    for (const [key, instance] of instances) {
      const value = valueOf(key, instance.labels);
      if (value === "elsewhere") {
        // Whoever has it now tells people: a word of ours, even that it is over, would contradict theirs.
        instances.delete(key);
        continue;
      }
      const event: AlertEvent =
        value === "unknown"
          ? { type: "condition.unknown", nowMillis }
          : isBreached(rule, value)
            ? { type: "condition.met", value, nowMillis }
            : { type: "condition.unmet", nowMillis };
      this.tell(rule, instance, event, told);
      if (instance.snapshot.value === "inactive") instances.delete(key);
    }
  }

  /** New alerts, the worst first, as long as there is room. @returns how many there is no room for */
  private beginNew(
    rule: AlertRule,
    instances: Map<string, Instance>,
    readings: ReadonlyMap<string, Reading>,
    nowMillis: number,
    told: Array<AlertNotification>,
  ): number {
    const fresh = [...readings]
      .filter(([key, { value }]) => !instances.has(key) && isBreached(rule, value))
      .toSorted(([, a], [, b]) => b.value - a.value);
    const most = rule.alertsMax ?? this.options.alertsPerRuleMax;
    let without = 0;
    for (const [key, { labels, value }] of fresh) {
      if (instances.size >= most && !dropResolved(instances)) {
        without += 1;
        continue;
      }
      const instance = {
        dedupKey: this.dedupKeyOf(rule, labels),
        labels,
        snapshot: initialTransition(alertMachine, this.inputOf(rule))[0],
      };
      instances.set(key, instance);
      this.tell(rule, instance, { type: "condition.met", value, nowMillis }, told);
    }
    return without;
  }

  private tell(rule: AlertRule, instance: Instance, event: AlertEvent, told: Array<AlertNotification>): void {
    const [snapshot, actions] = transition(alertMachine, instance.snapshot, event);
    instance.snapshot = snapshot;
    const { node } = this.options;
    const { sinceMillis, value } = snapshot.context;
    for (const { params, type } of actions) {
      if (type !== "tell") continue;
      const { news } = params as { readonly news: AlertNews };
      const { dedupKey, labels } = instance;
      told.push({ dedupKey, news, rule, labels, value, sinceMillis, nowMillis: event.nowMillis, node });
    }
  }

  private inputOf({ forSeconds, keepSeconds }: AlertRule) {
    const { evaluateSeconds, repeatSeconds } = this.options.rules;
    return {
      forMillis: forSeconds * 1_000,
      keepMillis: keepSeconds * 1_000,
      repeatMillis: repeatSeconds * 1_000,
      rememberMillis,
      // An evaluation may be late; by more, and it was the clock that went.
      stepMillisMax: evaluateSeconds * 2_000,
    };
  }

  private dedupKeyOf({ id, scope }: AlertRule, labels: Reading["labels"]): string {
    const place = scope === "node" ? `@${this.options.node}` : "";
    return `spillway/${id}${place}/${keyOf(labels)}`;
  }
}

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  Object.keys(labels)
    .toSorted()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join(",");

/** A resolved alert makes room: it was told of. */
const dropResolved = (instances: Map<string, Instance>): boolean => {
  for (const [key, { snapshot }] of instances) if (snapshot.value === "resolved") return instances.delete(key);
  return false;
};
