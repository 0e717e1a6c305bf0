import { assert, describe, it } from "@effect/vitest";
import { diffText, planText, verdictText } from "../../src/cli/config/plan-text.ts";
import { historyText, recordLine, rolloutLine, statusText } from "../../src/cli/config/status-text.ts";
import type { GateVerdict } from "../../src/domain/blast-radius.ts";
import type { ConfigStatus, JobDifference, RolloutRecord, RolloutReport } from "../../src/domain/config-report.ts";

const hash = "b".repeat(64);
const none = { added: 0, removed: 0, disabled: 0, enabled: 0, restored: 0, redirected: 0, edited: 0 };

const verdict = (over: Partial<GateVerdict> = {}, radius: Partial<GateVerdict["radius"]> = {}): GateVerdict => ({
  snapshot: hash,
  number: 8,
  previous: 7,
  passed: true,
  small: false,
  radius: {
    jobs: none,
    buffers: { before: 1_000, after: 1_001 },
    customers: { before: 60, after: 60, touched: 1 },
    datasets: { added: [], gone: [] },
    catalogue: { added: [], removed: [], changed: [] },
    headroomUsedPercent: { jobs: 0.1 },
    ...radius,
  },
  refusals: [],
  accepted: [],
  ...over,
});

const difference = (i: number, over: Partial<JobDifference> = {}): JobDifference => ({
  kind: "edited",
  id: `job-${i}`,
  customer: "acme",
  dataset: "dns",
  revisionBefore: 1,
  revisionAfter: 2,
  before: null,
  after: null,
  ...over,
});

const rollout: RolloutReport = {
  state: "idle",
  target: null,
  base: null,
  percent: 0,
  steps: [1, 10, 50, 100],
  elapsedMillis: 0,
  watchMillis: 60_000,
  reason: "",
};
const under = (over: Partial<RolloutReport>): RolloutReport => ({ ...rollout, target: { number: 8, hash }, ...over });

const status = (over: Partial<ConfigStatus> = {}): ConfigStatus => ({
  leader: "one",
  inForce: { number: 7, hash: "a".repeat(64), jobs: 1_200, enabled: 1_100, createdMillis: 0 },
  pending: 0,
  frozen: null,
  rollout,
  refusal: null,
  last: null,
  nodes: [],
  ...over,
});

const record: RolloutRecord = {
  result: "complete",
  number: 8,
  hash,
  inForce: 12,
  atMillis: 0,
  reason: "",
  author: "",
  why: "",
  rollbackOf: null,
  verdict: null,
};

describe("a diff in words", () => {
  it("shows fifty jobs at most, and counts the others, also those that the node left out", () => {
    const of = (count: number, more = 0) =>
      diffText({
        from: 7,
        to: 8,
        changes: Array.from({ length: count }, (_, i) => difference(i)),
        more,
      }).split("\n");
    assert.lengthOf(of(50), 50);
    assert.strictEqual(of(50).at(-1), "~ job-49  acme/dns  edited, revision 1 → 2");
    assert.lengthOf(of(51), 51);
    assert.strictEqual(of(51).at(-1), "… and 1 more jobs");
    assert.strictEqual(of(200, 99_800).at(-1), "… and 99,950 more jobs");
    assert.strictEqual(of(1, 5).at(-1), "… and 5 more jobs");
  });

  it("has a sign for what comes and what goes, and shows each setting that differs, to its depth", () => {
    const signs = ["added", "restored", "enabled", "removed", "missing", "disabled", "redirected", "forged"].map(
      (kind) => diffText({ from: 7, to: 8, changes: [difference(0, { kind })], more: 0 }).slice(0, 1),
    );
    assert.deepStrictEqual(signs, ["+", "+", "+", "-", "-", "-", "~", "~"]);
    const before = { destination: { url: "http://old", headers: { a: 1 } }, fields: ["x"], enabled: true };
    const after = { destination: { url: "http://new", headers: { a: 1 } }, fields: ["x", "y"], weight: 3 };
    assert.deepStrictEqual(
      diffText({ from: 7, to: 8, changes: [difference(0, { before, after })], more: 0 })
        .split("\n")
        .slice(1),
      [
        '    destination.url: "http://old" → "http://new"',
        "    enabled: true → (none)",
        '    fields: ["x"] → ["x","y"]',
        "    weight: (none) → 3",
      ],
    );
  });
});

describe("a verdict in words", () => {
  it("says of a small change that it goes to all nodes at once, of any other in which steps", () => {
    const small = verdictText(verdict({ small: true }, { jobs: { ...none, edited: 1 } }), rollout.steps);
    assert.strictEqual(
      small,
      [
        "jobs       1 edited",
        "buffers    1,000 → 1,001",
        "customers  60 → 60, 1 touched",
        "headroom   0.1 % of the jobs that this cluster is made for",
        "",
        "It passes, and goes to all nodes at once.",
      ].join("\n"),
    );
    assert.include(verdictText(verdict(), [5, 100]), "It passes, and goes out in steps: 5, 100 %.");
    assert.match(verdictText(verdict(), [5, 100]), /^jobs {7}none$/m);
  });

  it("names datasets and traffic where there is something to say of them", () => {
    const text = verdictText(
      verdict(
        {},
        {
          catalogue: { added: ["dns"], removed: ["old"], changed: ["web"] },
          datasets: { added: ["dns"], gone: ["old"] },
          bytesPerSecond: { added: 5, removed: 7, redirected: 0 },
        },
      ),
      rollout.steps,
    );
    assert.match(text, /^catalogue {2}\+dns, -old, ~web$/m);
    assert.match(text, /^datasets {3}\+dns, -old$/m);
    assert.match(text, /^traffic {4}\+5 −7 ↷0 bytes\/s$/m);
  });

  it("says which rule refuses it and what to do; how to accept it only when a person can", () => {
    const refusals = [
      { rule: "removed", message: "30 of 60.", remedy: "Accept it, or not.", jobs: ["a", "b"], acceptable: true },
      { rule: "unexplained", message: "Gone.", remedy: "Find the fault.", jobs: [], acceptable: false },
    ];
    const one = verdictText(verdict({ passed: false, refusals: refusals.slice(0, 1) }), rollout.steps);
    assert.include(one, "REFUSED by removed: 30 of 60.\n  Accept it, or not.\n  among them: a, b\n");
    assert.include(one, `  spillway config apply --accept-blast-radius ${hash}`);
    const both = verdictText(verdict({ passed: false, refusals }), rollout.steps);
    assert.include(both, "REFUSED by unexplained: Gone.\n  Find the fault.\n");
    assert.include(both, "Nobody can accept this: it is damaged, or nothing explains it.");
    assert.notInclude(both, "--accept-blast-radius");
    const accepted = verdictText(verdict({ accepted: ["removed"] }), rollout.steps);
    assert.include(accepted, "A person has accepted: removed.");
  });

  it("is told under the ice, and not at all while another rollout is under way", () => {
    const diff = { from: 7, to: 8, changes: [difference(1)], more: 0 };
    const frozen = { who: "eve", why: "", atMillis: 0 };
    const ice = planText({ verdict: verdict(), diff, frozen, rollout });
    assert.match(ice, /^Frozen by eve: no reason given\. Nothing goes out\.\n\n~ job-1/);
    const busy = planText({ verdict: null, diff, frozen: null, rollout: under({ state: "watching" }) });
    assert.strictEqual(busy, "Snapshot 8 is on its way (watching):\n\n~ job-1  acme/dns  edited, revision 1 → 2");
  });
});

describe("a status in words", () => {
  it("says where a rollout is in one line, with who has adopted it", () => {
    const adopted = { nodes: 2, of: 3 };
    const table: ReadonlyArray<readonly [RolloutReport, string]> = [
      [rollout, "no rollout"],
      [under({ state: "gating" }), "snapshot 8: gating"],
      [
        under({ state: "promoting", percent: 10, adopted }),
        "snapshot 8: promoting, 10 % of the customers, adopted by 2 of 3 nodes",
      ],
      [
        under({ state: "watching", percent: 1, elapsedMillis: 1_500 }),
        "snapshot 8: watching, 1 % of the customers, 1.5s of 1m0s",
      ],
      [under({ state: "halted", percent: 50, reason: "wait" }), "snapshot 8: halted, 50 % of the customers (wait)"],
    ];
    for (const [report, expected] of table) assert.strictEqual(rolloutLine(report), expected);
  });

  it("calls a node that has a step's snapshot a canary, and only one that has another one than it should another one", () => {
    const serves = (letter: string) => ({ number: 7, hash: letter.repeat(64) });
    const words = (over: Partial<ConfigStatus>) =>
      statusText(status({ ...over, nodes: over.nodes ?? [] }))
        .split("\n")
        .filter((line) => line.startsWith("node-"))
        .map((line) => line.split(/ {2,}/)[3] ?? "");
    const nodes = [
      { node: "node-as-told", serves: serves("a"), refused: null, silentMillis: 100 },
      { node: "node-other", serves: serves("c"), refused: null, silentMillis: 100 },
      {
        node: "node-refuses",
        serves: serves("a"),
        refused: { number: 8, rule: "shrunk", message: "" },
        silentMillis: 0,
      },
    ];
    assert.deepStrictEqual(words({ nodes }), ["", "another one", "refuses 8: shrunk"]);
    const canary = "canary, 10 % of the customers";
    for (const [state, other] of [
      ["promoting", "not yet"],
      ["watching", "another one"],
    ] as const) {
      const report = under({ state, percent: 10 });
      assert.deepStrictEqual(words({ nodes, rollout: report }), [canary, other, "refuses 8: shrunk"], state);
    }
    assert.deepStrictEqual(words({ nodes, rollout: under({ state: "promoting", percent: 100 }) })[0], "");
    // Named, and ahead of the others: with all of the target, whatever share of the customers the others have.
    const named = [
      { ...nodes[0]!, node: "node-named", serves: serves("b") },
      { ...nodes[0]!, node: "node-late" },
    ];
    for (const [percent, others] of [
      [0, ""],
      [10, canary],
    ] as const) {
      const report = under({
        state: "promoting",
        percent,
        canary: { number: 12, hash, nodes: ["node-named", "node-late"] },
      });
      const told = words({ nodes: [...named, nodes[0]!, nodes[1]!], rollout: report });
      assert.deepStrictEqual(told, ["canary", "not yet", others, "not yet"]);
    }
  });

  it("has a line for what is pending, frozen, refused and over", () => {
    assert.match(statusText(status({ inForce: null })), /^in force +nothing yet: nodes answer 503$/m);
    const refusals = [{ rule: "empty", message: "No job.", remedy: "", jobs: [], acceptable: true }];
    const text = statusText(
      status({
        pending: 1_234,
        frozen: { who: "eve", why: "", atMillis: 0 },
        refusal: verdict({ passed: false, refusals }),
        last: { ...record, result: "rolledBack", reason: "errors", rollbackOf: 3 },
      }),
    );
    assert.match(text, /^pending +1,234 jobs are stored otherwise: spillway config plan$/m);
    assert.match(text, /^FROZEN +by eve at 1970-01-01T00:00:00\.000Z: no reason given$/m);
    assert.match(text, /^REFUSED +empty: No job\.$/m);
    assert.match(text, /^last +snapshot 8 \(the content of 3\): rolledBack: errors$/m);
    assert.strictEqual(recordLine(record), "snapshot 8: complete");
    assert.strictEqual(historyText([]), "Nothing was rolled out yet.");
    assert.match(historyText([record]), /^8 +1970-01-01T00:00:00\.000Z +complete +12 +- +-$/m);
  });
});
