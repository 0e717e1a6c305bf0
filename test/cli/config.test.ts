import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { GateVerdict } from "../../src/domain/blast-radius.ts";
import type { ConfigStatus, JobDifference, RolloutRecord } from "../../src/domain/config-report.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const hash = "b".repeat(64);

const verdict: GateVerdict = {
  snapshot: hash,
  number: 8,
  previous: 7,
  passed: false,
  small: false,
  radius: {
    jobs: { added: 1, removed: 30, disabled: 0, enabled: 0, restored: 0, redirected: 1, edited: 0 },
    buffers: { before: 60, after: 31 },
    customers: { before: 60, after: 31, touched: 32 },
    catalogue: { added: [], removed: [], changed: [] },
    datasets: { added: [], gone: [] },
    headroomUsedPercent: { jobs: 3.14 },
  },
  refusals: [
    { rule: "removed", message: "30 of 60 jobs.", remedy: "Accept it, or not.", jobs: ["a"], acceptable: true },
  ],
  accepted: [],
};

const difference = (kind: string, id: string, over: Partial<JobDifference> = {}): JobDifference => ({
  kind,
  id,
  customer: "acme",
  dataset: "dns",
  revisionBefore: 4,
  revisionAfter: 9,
  before: { id, destination: { kind: "http", url: "http://old.example" }, enabled: true },
  after: { id, destination: { kind: "http", url: "http://new.example" }, enabled: true },
  ...over,
});

const record = (over: Partial<RolloutRecord>): RolloutRecord => ({
  result: "complete",
  number: 8,
  hash,
  inForce: 8,
  atMillis: 1_000,
  reason: "",
  author: "",
  why: "",
  rollbackOf: null,
  verdict: null,
  ...over,
});

const world = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const run = (...args: ReadonlyArray<string>) => runSpillway(["config", ...args, "--url", url]);
  const before = node.config.statuses[0]!;
  /** What the control process says one time after the other. */
  const script = (...after: ReadonlyArray<Partial<ConfigStatus>>) => {
    node.config.statuses = [before, ...after.map((each) => ({ ...before, ...each }))];
  };
  return { node, run, script, before };
});

describe("spillway config", () => {
  it.live("plan says that nothing would change (0), or what, in numbers, and why it may not (2)", () =>
    Effect.gen(function* () {
      const { node, run } = yield* world;
      const nothing = yield* run("plan");
      assert.deepStrictEqual(
        [nothing.code, nothing.stdout],
        [0, "Nothing would change: what is stored is in force.\n"],
      );
      node.config.plan = {
        ...node.config.plan,
        verdict,
        diff: {
          from: 7,
          to: 8,
          changes: [
            difference("added", "new", { before: null, revisionBefore: null }),
            difference("redirected", "moved"),
            difference("removed", "old", { after: null }),
          ],
          more: 29,
        },
      };
      const refused = yield* run("plan");
      assert.strictEqual(refused.code, 2);
      assert.strictEqual(refused.stderr, "");
      for (const line of [
        "+ new  acme/dns  added, revision 9",
        "~ moved  acme/dns  redirected, revision 4 → 9",
        '    destination.url: "http://old.example" → "http://new.example"',
        "- old  acme/dns  removed, revision 4 → 9",
        "… and 29 more jobs",
        "jobs       1 added, 30 removed, 1 redirected",
        "buffers    60 → 31",
        "REFUSED by removed: 30 of 60 jobs.",
        `  spillway config apply --accept-blast-radius ${hash}`,
      ]) {
        assert.include(refused.stdout.split("\n"), line);
      }
      node.config.plan = { ...node.config.plan, verdict: { ...verdict, passed: true, refusals: [] } };
      const passed = yield* run("plan");
      assert.strictEqual(passed.code, 2);
      assert.include(passed.stdout, "It passes, and goes out in steps: 1, 10, 50, 100 %.");
      node.config.plan = {
        ...node.config.plan,
        verdict: { ...verdict, refusals: [{ ...verdict.refusals[0]!, acceptable: false }] },
      };
      assert.notInclude((yield* run("plan")).stdout, "--accept-blast-radius");
      const json = yield* run("plan", "--json");
      assert.deepStrictEqual([json.code, JSON.parse(json.stdout)], [2, node.config.plan]);
      node.config.down = true;
      assert.strictEqual((yield* run("plan")).code, 1);
    }).pipe(Effect.scoped),
  );

  it.live(
    "apply watches to the end: in force 0, rolled back 3, refused 4, halted 5",
    () =>
      Effect.gen(function* () {
        const { before, node, run, script } = yield* world;
        const way = (state: string, percent: number) => ({
          rollout: { ...before.rollout, state, percent, target: { number: 8, hash } },
        });
        script(way("promoting", 1), way("watching", 1), way("promoting", 100), { last: record({}) });
        const done = yield* run("apply", "--accept-blast-radius", hash, "--reason", "it is meant");
        assert.strictEqual(done.code, 0, done.stderr);
        assert.match(done.stderr, /promoting, 1 %.*\n.*watching, 1 %.*\n.*promoting, 100 %/);
        assert.include(done.stdout, "snapshot 8: complete, in force everywhere");
        const [asked] = node.config.asked;
        assert.deepInclude(asked![1], { accept: hash, why: "it is meant" });
        const accepted = node.audit.notes.find(({ what }) => what === "accept a blast radius");
        assert.deepInclude(accepted, { detail: `snapshot ${hash}`, why: "it is meant" });
        for (const [result, code] of [
          ["rolledBack", 3],
          ["refused", 4],
        ] as const) {
          script({ last: record({ result, reason: "one node refuses it", atMillis: code }), refusal: null });
          const ended = yield* run("apply");
          assert.deepStrictEqual([ended.code, result], [code, result]);
          assert.include(ended.stderr, `snapshot 8: ${result}: one node refuses it`);
        }
        script(way("halted", 10));
        assert.strictEqual((yield* run("apply")).code, 5);
        script({});
        assert.include((yield* run("apply")).stdout, "Nothing is to be changed");
        node.config.conflict = "frozen by me";
        const conflict = yield* run("apply");
        assert.strictEqual(conflict.code, 1);
        assert.include(conflict.stderr, "frozen by me");
      }).pipe(Effect.scoped),
    30_000,
  );

  it.live(
    "status, history and diff show what is so; rollback wants to be told twice",
    () =>
      Effect.gen(function* () {
        const { node, run, script } = yield* world;
        script();
        const status = yield* run("status");
        assert.match(status.stdout, /in force +snapshot 7, 12 jobs, 11 enabled/);
        assert.match(status.stdout, /fake +7 /);
        node.config.statuses[0] = {
          ...node.config.statuses[0]!,
          frozen: { who: "eve", why: "an incident", atMillis: 0 },
          nodes: [{ node: "far", serves: null, refused: { number: 8, rule: "shrunk", message: "m" }, silentMillis: 9 }],
        };
        const frozen = yield* run("status");
        assert.match(frozen.stdout, /FROZEN +by eve at 1970\S+: an incident/);
        assert.match(frozen.stdout, /far +nothing +0\.0s +refuses 8: shrunk/);
        node.config.history = [record({ result: "rolledBack", reason: "bad", author: "eve", why: "a try" })];
        assert.match((yield* run("history")).stdout, /8 +1970\S+ +rolledBack +8 +eve +a try; bad/);
        assert.strictEqual((yield* run("diff", "1", "2")).stdout, "No job differs.\n");
        const gone = yield* run("diff", "1", "200");
        assert.deepStrictEqual([gone.code, gone.stderr.includes("There is no snapshot 200")], [1, true]);
        const careless = yield* run("rollback", "3");
        assert.strictEqual(careless.code, 2);
        assert.deepStrictEqual(node.config.asked, []);
        script({ last: record({ rollbackOf: 3 }), frozen: { who: "me", why: "", atMillis: 0 } });
        const back = yield* run("rollback", "3", "--yes");
        assert.strictEqual(back.code, 0, back.stderr);
        assert.include(back.stdout, "snapshot 8 (the content of 3): complete");
        assert.include(back.stdout, "spillway config unfreeze");
        assert.deepInclude(node.config.asked[0]![1], { to: 3, accept: null });
        for (const op of ["freeze", "unfreeze", "halt", "resume"]) assert.strictEqual((yield* run(op)).code, 0, op);
        assert.deepStrictEqual(
          node.config.asked.map(([op]) => op),
          ["rollback", "freeze", "unfreeze", "halt", "resume"],
        );
      }).pipe(Effect.scoped),
    30_000,
  );
});
