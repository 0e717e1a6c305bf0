import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AlertReport } from "../../src/api/alert-reports.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const suspended: AlertReport = {
  dedupKey: 'spillway/jobSuspended/job="ash"',
  rule: "jobSuspended",
  severity: "warning",
  state: "firing",
  labels: { job: "ash", customer: "acme" },
  summary: "A push job is suspended",
  description: "Correct the job.",
  runbook: "docs/OPERATING.md#alert-jobsuspended",
  value: 1,
  threshold: 0,
  sinceMillis: 1_000,
  firedMillis: 2_000,
  resolvedMillis: null,
};
const lost: AlertReport = {
  ...suspended,
  rule: "recordsLost",
  severity: "critical",
  state: "pending",
  labels: {},
  value: 12_345,
  summary: "Records were lost",
  firedMillis: null,
};

it.live("spillway alerts shows them by severity and says how many more there would be; 0 is the exit code", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const { url } = yield* startApi(node);
    const none = yield* runSpillway(["alerts", "--url", url]);
    assert.deepStrictEqual([none.code, none.stdout.trim()], [0, "No alerts."]);
    node.alerts = { alerts: [suspended, lost], leftOut: [{ rule: "jobSuspended", count: 1_200 }] };
    const ran = yield* runSpillway(["alerts", "--url", url]);
    assert.strictEqual(ran.code, 0, ran.stderr);
    assert.match(
      ran.stdout,
      /critical +recordsLost +pending +- +12,345 .*lost\nwarning +jobSuspended +firing +job=ash customer=acme +1 +1970/,
    );
    assert.match(ran.stdout, /and 1,200 more for which jobSuspended has no room/);
    const json = yield* runSpillway(["alerts", "--url", url, "--json"]);
    assert.deepStrictEqual(JSON.parse(json.stdout), node.alerts);
    const unreachable = yield* runSpillway(["alerts", "--url", "http://127.0.0.1:1"]);
    assert.strictEqual(unreachable.code, 1);
  }),
);

it.live("spillway alerts rules prints those that are shipped, or those of a file, and says what is wrong with it", () =>
  Effect.gen(function* () {
    const folder = mkdtempSync(join(tmpdir(), "spillway-rules-"));
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })));
    const file = join(folder, "ours.json");
    const shipped = JSON.parse(readFileSync("config/alerts.json", "utf8"));
    const ours = { ...shipped, rules: [{ ...shipped.rules[0], id: "ours", threshold: 3 }] };
    writeFileSync(file, JSON.stringify(ours));
    assert.deepStrictEqual(JSON.parse((yield* runSpillway(["alerts", "rules"])).stdout), shipped);
    assert.deepStrictEqual(JSON.parse((yield* runSpillway(["alerts", "rules", "--file", file])).stdout), ours);
    const { stdout } = yield* runSpillway(["alerts", "rules", "--file", file, "--prometheus"]);
    assert.include(stdout, "alert: SpillwayOurs");
    assert.notInclude(stdout, "SpillwayConfigRefused");
    writeFileSync(file, JSON.stringify({ ...ours, evaluateSeconds: 0 }));
    const wrong = yield* runSpillway(["alerts", "rules", "--file", file]);
    assert.strictEqual(wrong.code, 1);
    assert.include(wrong.stderr, "evaluateSeconds");
  }).pipe(Effect.scoped),
);
