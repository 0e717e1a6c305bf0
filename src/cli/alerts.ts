import { Console, DateTime, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { AlertReport, AlertsReport } from "../api/alert-reports.ts";
import { openClient } from "./client.ts";
import { failed } from "./command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

const rules = Command.make(
  "rules",
  {
    file: Flag.String("file").pipe(
      Flag.withDescription("The rules of this file, as the setting alertRulesFile names it (default: those shipped)"),
      Flag.optional,
    ),
    prometheus: Flag.Boolean("prometheus").pipe(
      Flag.withDescription("Print them as a rule file for Prometheus"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ file, prometheus }) {
    const [{ loadAlertRules }, { prometheusRules }] = yield* Effect.promise(() =>
      Promise.all([import("../control/alert-rules.ts"), import("../control/prometheus-rules.ts")]),
    );
    const loaded = yield* loadAlertRules(Option.getOrUndefined(file)).pipe(
      Effect.mapError(({ message }) => failed(message)),
    );
    if (prometheus) return yield* Console.log(prometheusRules(loaded).trimEnd());
    return yield* Console.log(JSON.stringify(loaded, null, 2));
  }),
).pipe(
  Command.withDescription(
    "Print the alert rules, checked: as JSON, or as a rule file for Prometheus. Without --file those that are shipped; a " +
      "node whose setting alertRulesFile names another file judges by that one.",
  ),
  Command.withShortDescription("The rules, also for Prometheus"),
  Command.withExamples([
    { command: "spillway alerts rules --prometheus", description: "For Prometheus' rule_files" },
    { command: "spillway alerts rules --file our-alerts.json --prometheus", description: "Of rules of your own" },
  ]),
);

export const alerts = Command.make(
  "alerts",
  { url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const body = (yield* client.ask({ method: "GET", path: "/v1/alerts" })).body as AlertsReport;
    if (flags.json) return yield* Console.log(JSON.stringify(body));
    if (body.alerts.length === 0) return yield* Console.log("No alerts.");
    yield* Console.log(formatAlerts(body.alerts));
    for (const { count, rule } of body.leftOut) {
      yield* Console.log(`… and ${grouped(count)} more for which ${rule} has no room`);
    }
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "List the alerts of this node, the gravest first: pending, firing, and those resolved in the last 15 minutes. " +
      "What to do is in docs/OPERATING.md under the name of the rule, and in --json. The exit code is 0 whatever fires.",
  ),
  Command.withShortDescription("Alerts of this node, the gravest first"),
  Command.withExamples([{ command: "spillway alerts --json", description: "For scripts" }]),
  Command.withSubcommands([rules]),
);

const severities = ["critical", "warning", "info"] as const;

const formatAlerts = (all: AlertsReport["alerts"]): string =>
  formatTable(
    ["severity", "rule", "state", "labels", "value", "since", "summary"].map((title) => ({
      title,
      align: title === "value" ? "right" : "left",
    })),
    // The order of states within a severity is the node's.
    [...all]
      .toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity))
      .map((alert) => [
        alert.severity,
        alert.rule,
        alert.state,
        labelsOf(alert),
        grouped(alert.value),
        DateTime.formatIso(DateTime.makeUnsafe(alert.sinceMillis)),
        alert.summary,
      ]),
  );

const labelsOf = ({ labels }: AlertReport): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ") || "-";
