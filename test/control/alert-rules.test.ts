import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { loadAlertRules } from "../../src/control/alert-rules.ts";
import { prometheusRules } from "../../src/control/prometheus-rules.ts";
import { lossReasons } from "../../src/observability/losses.ts";

const inFolder = <A>(run: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-alerts-"));
  try {
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const refusal = Effect.fnUntraced(function* (change: (written: any) => void) {
  const written = JSON.parse(readFileSync("config/alerts.json", "utf8"));
  change(written);
  const folder = mkdtempSync(join(tmpdir(), "spillway-alerts-"));
  const file = join(folder, "alerts.json");
  writeFileSync(file, JSON.stringify(written, null, 2));
  return yield* Effect.flip(loadAlertRules(file)).pipe(
    Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true }))),
  );
});

describe("config/alerts.json", () => {
  it.live("is decoded strictly, with every problem and its place", () =>
    Effect.gen(function* () {
      const misspelt = yield* refusal(({ rules }) => {
        rules[0].treshold = rules[0].threshold;
        rules[1].severity = "dreadful";
        rules[2].runbook = "docs/OTHER.md";
        rules[3].forSeconds = -1;
      });
      assert.lengthOf(misspelt.problems, 4);
      assert.match(misspelt.message, /treshold.*did you mean threshold/);
      assert.match(misspelt.message, /alerts\.json:\d+:\d+.*severity.*"dreadful"/);
      const twice = yield* refusal(({ rules }) => (rules[1].id = rules[0].id));
      assert.match(twice.message, /same id, got configRefused twice/);
      const signal = yield* refusal(({ rules }) => (rules[0].signal = "weather"));
      assert.match(signal.message, /signal/);
      const absent = yield* Effect.flip(loadAlertRules("/nowhere/alerts.json"));
      assert.match(absent.message, /there is no such file/);
    }),
  );

  it.live("asks Prometheus for the same losses as the node counts", () =>
    Effect.gen(function* () {
      const { rules } = yield* loadAlertRules();
      const { metric } = rules.find(({ id }) => id === "recordsLost")!;
      const [, reasons] = /spillway_records_written_off_total\{reason=~"([^"]+)"\}/.exec(metric!)!;
      assert.sameMembers(reasons!.split("|"), [...lossReasons]);
    }),
  );

  it.live("has a section for each rule in the operator's manual that says what to do", () =>
    Effect.gen(function* () {
      const { rules } = yield* loadAlertRules();
      const manual = readFileSync("docs/OPERATING.md", "utf8");
      for (const { id, runbook } of rules) {
        const section = new RegExp(`\\n### (Alert ${id})\\n\\n([\\s\\S]*?)\\n\\n#`).exec(manual);
        assert.isNotNull(section, `no section for ${id}`);
        const anchor = section![1]!.toLowerCase().replaceAll(" ", "-");
        assert.strictEqual(runbook, `docs/OPERATING.md#${anchor}`);
        assert.isAbove(section![2]!.length, 100, id);
      }
    }),
  );
});

/** Its path, or why there is none. In CI, or with REQUIRE_ENGINE=1, its absence is a failure, not a skip. */
const promtool = (() => {
  const found = spawnSync("bash", ["scripts/promtool.sh"], { encoding: "utf8", timeout: 60_000 });
  return found.status === 0 ? { path: found.stdout.trim() } : { reason: found.stderr.trim().split("\n").at(-1) };
})();
if (promtool.path === undefined && (process.env["CI"] || process.env["REQUIRE_ENGINE"] === "1")) {
  throw new Error(`promtool is required here, and there is none: ${promtool.reason}`);
}

/** Two minutes of well, ten of trouble, well again; a sample every 15 s. */
const trouble = (well: number, bad: number): string => `${well}x8 ${bad}x40 ${well}x200`;

const promtoolRuns = (folder: string, ...args: ReadonlyArray<string>) => {
  const run = spawnSync(promtool.path!, args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
  assert.strictEqual(run.status, 0, `${run.stdout}${run.stderr}`);
  return run.stdout;
};

describe("the rules for Prometheus", () => {
  it.live("are what the command prints, one for each of ours and one for a node that judges itself no more", () =>
    Effect.gen(function* () {
      const loaded = yield* loadAlertRules();
      const printed = execFileSync(process.execPath, ["bin/main.mjs", "alerts", "rules", "--prometheus"]).toString();
      assert.strictEqual(printed, prometheusRules(loaded));
      assert.lengthOf(printed.match(/- alert: /g)!, loaded.rules.length + 1);
    }),
  );

  it.live.skipIf(promtool.path === undefined)(`satisfy promtool${promtool.reason ? ` (${promtool.reason})` : ""}`, () =>
    Effect.gen(function* () {
      const loaded = yield* loadAlertRules();
      inFolder((folder) => {
        writeFileSync(join(folder, "rules.yml"), prometheusRules(loaded));
        assert.include(promtoolRuns(folder, "check", "rules", "rules.yml"), `${loaded.rules.length + 1} rules found`);
      });
    }),
  );

  it.live.skipIf(promtool.path === undefined)("fire on what the nodes' metrics show, and not on less", () =>
    Effect.gen(function* () {
      const loaded = yield* loadAlertRules();
      const signals = loaded.rules.filter(({ metric }) => metric === undefined);
      const at = "10m";
      const alertOf = (id: string) => `Spillway${id[0]!.toUpperCase()}${id.slice(1)}`;
      const labels = { instance: "a" };
      const expected = (severity: string, rule: (typeof loaded.rules)[number]) => ({
        exp_labels: { severity, ...labels, ...(rule.metric === undefined ? { signal: rule.signal } : {}) },
        exp_annotations: { summary: rule.summary, description: rule.description, runbook: rule.runbook },
      });
      const series = [
        ...signals.map(({ comparison, signal, threshold }) => ({
          series: `spillway_alert_signal{instance="a",signal="${signal}"}`,
          values: trouble(comparison === ">" ? threshold : threshold - 1, threshold + 1),
        })),
        { series: `spillway_admission_state{instance="a"}`, values: trouble(0, 1) },
        { series: `spillway_records_written_off_total{instance="a",reason="shed"}`, values: "0x8 0+7x40 280x200" },
        { series: `spillway_records_written_off_total{instance="a",reason="skipped"}`, values: "0+7x250" },
        { series: `spillway_ingest_not_served_records_total{instance="a"}`, values: "0x8 0+7x40 280x200" },
        { series: `spillway_log_records_missing_total{instance="a"}`, values: "0x250" },
        { series: `spillway_alert_evaluations_total{instance="a"}`, values: "0+7x250" },
      ];
      const tests = [
        {
          interval: "15s",
          input_series: series,
          alert_rule_test: loaded.rules.flatMap((rule) => {
            const alertname = alertOf(rule.id);
            return [
              { eval_time: "1m30s", alertname, exp_alerts: [] },
              {
                eval_time: at,
                alertname,
                exp_alerts: [
                  {
                    ...expected(rule.severity, rule),
                    ...(rule.id === "admissionNotOpen" ? { exp_labels: { severity: rule.severity, ...labels } } : {}),
                  },
                ],
              },
              { eval_time: "50m", alertname, exp_alerts: [] },
            ];
          }),
        },
      ];
      inFolder((folder) => {
        writeFileSync(join(folder, "rules.yml"), prometheusRules(loaded));
        writeFileSync(
          join(folder, "test.yml"),
          stringify({ rule_files: ["rules.yml"], evaluation_interval: "15s", tests }),
        );
        assert.include(promtoolRuns(folder, "test", "rules", "test.yml"), "SUCCESS");
      });
    }),
  );
});
