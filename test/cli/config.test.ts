import { existsSync } from "node:fs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { GateVerdict } from "../../src/domain/blast-radius.ts";
import type { ConfigStatus, JobDifference, RolloutRecord, RolloutReport } from "../../src/domain/config-report.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runOnTerminal, terminal } from "./run-on-terminal.ts";
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
  /** What the control process says one time after the other, first to whoever puts snapshot 8 on its way. */
  const script = (...after: ReadonlyArray<Partial<ConfigStatus>>) => {
    node.config.begun = { number: 8, hash };
    node.config.statuses = after.map((each) => ({ ...before, ...each }));
  };
  const way = (state: string, percent: number, over: Partial<RolloutReport> = {}) => ({
    rollout: { ...before.rollout, state, percent, target: { number: 8, hash }, ...over },
  });
  return { node, url, run, script, before, way };
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
      for (const wrong of [["--jsn"], ["--url", "nonsense"]]) {
        const misused = yield* run("plan", ...wrong);
        assert.strictEqual(misused.code, 1, "2 says that something would change");
        assert.match(misused.stderr, /^spillway: /);
        assert.strictEqual((yield* run("status", ...wrong)).code, 2);
      }
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
        const { node, run, script, way } = yield* world;
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
        script({ last: record({}) });
        node.config.begun = null;
        assert.include((yield* run("apply")).stdout, "Nothing is to be changed");
        node.config.conflict = "frozen by me";
        const conflict = yield* run("apply");
        assert.strictEqual(conflict.code, 1);
        assert.include(conflict.stderr, "frozen by me");
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "apply follows what it has begun, whatever else ends meanwhile",
    () =>
      Effect.gen(function* () {
        const { node, run, script, way } = yield* world;
        const other = record({ number: 9, hash: "c".repeat(64) });
        const ours = record({ result: "rolledBack", reason: "one node refuses it" });
        // Ours is over, another one has gone through since: its end is not ours.
        node.config.history = [other, ours, record({ result: "refused", atMillis: 1 })];
        script(way("watching", 10), { last: other });
        const ended = yield* run("apply");
        assert.strictEqual(ended.code, 3, ended.stdout);
        assert.include(ended.stderr, "snapshot 8: rolledBack: one node refuses it");
        // Another one is on its way already.
        script(way("watching", 10), way("promoting", 1, { target: { number: 9, hash: other.hash } }));
        assert.strictEqual((yield* run("apply")).code, 3);
        node.config.history = [other];
        script(way("watching", 10), { last: other });
        const lost = yield* run("apply");
        assert.deepStrictEqual([lost.code, lost.stdout], [1, ""]);
        assert.include(lost.stderr, "nobody knows any more");
        // It was refused before, and accepted now: what it ended with last counts.
        node.config.history = [];
        script(way("promoting", 1), { last: record({}) });
        assert.strictEqual((yield* run("apply")).code, 0);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "apply tells a line for each change, or with --json an object, or with --detach only how it begins",
    () =>
      Effect.gen(function* () {
        const { run, script, way } = yield* world;
        const adopted = (nodes: number) => ({ adopted: { nodes, of: 3 } });
        const scripted = () =>
          script(
            way("promoting", 10, adopted(0)),
            way("promoting", 10, adopted(0)),
            way("promoting", 10, { ...adopted(2), elapsedMillis: 200 }),
            way("watching", 10, adopted(3)),
            way("watching", 10, { ...adopted(3), elapsedMillis: 5_000 }),
            { last: record({}) },
          );
        scripted();
        const lines = (yield* run("apply")).stderr.split("\n");
        assert.deepStrictEqual(lines, [
          "snapshot 8: promoting, 10 % of the customers, adopted by 0 of 3 nodes",
          "snapshot 8: promoting, 10 % of the customers, adopted by 2 of 3 nodes",
          "snapshot 8: watching, 10 % of the customers, adopted by 3 of 3 nodes, 0.0s of 1m0s",
          "",
        ]);
        scripted();
        const json = yield* run("apply", "--json");
        assert.deepStrictEqual([json.code, json.stderr], [0, ""]);
        const objects = json.stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, unknown>);
        assert.deepStrictEqual(
          objects.slice(0, -1).map(({ adopted: told, state }) => [state, (told as { nodes: number }).nodes]),
          [
            ["promoting", 0],
            ["promoting", 2],
            ["watching", 3],
          ],
        );
        assert.deepStrictEqual(objects.at(-1)!["ended"], record({}));
        scripted();
        const detached = yield* run("apply", "--detach");
        assert.strictEqual(detached.code, 0);
        assert.match(detached.stdout, /rollout +snapshot 8: promoting/);
        scripted();
        const begun = yield* run("apply", "--detach", "--json");
        assert.deepStrictEqual(JSON.parse(begun.stdout).begun, { number: 8, hash });
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "apply ends the watching, and says so, when its time is over (1) and at Ctrl-C (130)",
    () =>
      Effect.gen(function* () {
        const { node, run, script, url, way } = yield* world;
        script(way("watching", 10));
        const late = yield* run("apply", "--timeout", "1");
        assert.strictEqual(late.code, 1);
        assert.match(late.stderr, /still on its way after 1 s; `spillway config status`/);
        assert.deepStrictEqual(
          node.config.asked.map(([op]) => op),
          ["apply"],
        );
        const seen = node.config.statusesTold + 3;
        const isFollowing = Effect.sync(() => node.config.statusesTold >= seen).pipe(
          Effect.tap((isSo) => (isSo ? Effect.void : Effect.sleep(20))),
          Effect.repeat({ until: (isSo) => isSo }),
          Effect.timeout("20 seconds"),
        );
        const interruptWhen = Effect.runPromise(isFollowing);
        const ended = yield* runSpillway(["config", "apply", "--url", url], { interruptWhen });
        assert.deepStrictEqual([ended.code, ended.stdout], [130, ""]);
        assert.match(ended.stderr, /the rollout of snapshot 8 goes on by itself\. `spillway config status` shows how/);
        assert.match(ended.stderr, /`spillway config halt` stops it/);
        assert.deepStrictEqual(
          node.config.asked.map(([op]) => op),
          ["apply", "apply"],
          "nothing is told to stop",
        );
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "apply names canary nodes, and shows on which it is",
    () =>
      Effect.gen(function* () {
        const { node, run, script, way } = yield* world;
        script(way("watching", 0, { canary: { number: 12, hash, nodes: ["a", "b"] }, adopted: { nodes: 1, of: 2 } }), {
          last: record({}),
        });
        const done = yield* run("apply", "--canary-nodes", "a, b,", "--unfreeze");
        assert.strictEqual(done.code, 0, done.stderr);
        assert.include(done.stderr, "snapshot 8: watching, on a, b, adopted by 1 of 2 nodes, 0.0s of 1m0s");
        assert.deepInclude(node.config.asked[0]![1], { canaryNodes: ["a", "b"], unfreeze: true });
        assert.strictEqual((yield* run("apply", "--canary-nodes", " ,")).code, 2);
        node.config.invalid = "No node c has reported lately. These have: a, b.";
        const refused = yield* run("apply", "--canary-nodes", "c");
        assert.strictEqual(refused.code, 1);
        assert.include(refused.stderr, "No node c has reported lately. These have: a, b.");
        assert.lengthOf(node.config.asked, 2);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "rollback out of a rollout has done what was wanted when it has gone back",
    () =>
      Effect.gen(function* () {
        const { node, run, script, way } = yield* world;
        const back = { last: record({ result: "rolledBack", reason: "me asked for it", inForce: 13 }) };
        script(way("watching", 10), way("rollingBack", 10), back);
        const gone = yield* run("rollback", "--yes");
        assert.deepStrictEqual([gone.code, gone.stdout], [0, "snapshot 8: rolledBack: me asked for it\n"]);
        // A rollback of its own that goes badly is another matter.
        script({}, way("promoting", 1), back);
        assert.strictEqual((yield* run("rollback", "--yes")).code, 3);
        script({}, way("promoting", 1));
        const detached = yield* run("rollback", "3", "--yes", "--detach");
        assert.strictEqual(detached.code, 0);
        assert.match(detached.stdout, /rollout +snapshot 8: promoting/);
        assert.strictEqual(node.config.statuses.length, 1);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live.skipIf(!existsSync(terminal))(
    "rollback asks on a terminal, shows what it is about, and takes no for an answer",
    () =>
      Effect.gen(function* () {
        const { before, node, script, url, way } = yield* world;
        node.config.plan = {
          ...node.config.plan,
          diff: { from: 7, to: 3, changes: [difference("edited", "a")], more: 4 },
        };
        const on = (answer: string, ...args: ReadonlyArray<string>) =>
          runOnTerminal(["config", "rollback", ...args, "--url", url], { when: /Go back now\?/, answer });
        script(before);
        const no = yield* on("n", "3");
        assert.strictEqual(no.code, 1, no.stdout);
        assert.match(
          no.stdout,
          /brings snapshot 3 back, on every node: snapshot 7 is in force, with 12 jobs; 1 of the jobs/,
        );
        assert.include(no.stdout, "nothing was changed");
        assert.deepStrictEqual(node.config.asked, []);
        script(before, { last: record({ rollbackOf: 3 }) });
        const yes = yield* on("y", "3");
        assert.strictEqual(yes.code, 0, yes.stdout);
        assert.include(yes.stdout, "snapshot 8 (the content of 3): complete, in force everywhere");
        assert.deepInclude(node.config.asked[0]![1], { to: 3 });
        // What is on its way is one line, rewritten, and taken away before the end is told.
        const progress = (states: ReadonlyArray<string>) => states.map((state) => way(state, 10));
        script(before, ...progress(["promoting", "watching"]), { last: record({ rollbackOf: 3 }) });
        const shown = (yield* on("y", "3")).stdout.split("\x1b[2K").slice(-3);
        assert.match(shown[0]!, /^snapshot 8: promoting, 10 % of the customers\r$/);
        assert.match(shown[1]!, /^snapshot 8: watching, 10 % of the customers, 0\.0s of 1m0s\r$/);
        assert.match(shown[2]!, /^snapshot 8 \(the content of 3\): complete, in force everywhere\r\n$/);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "each command shows an example in its help",
    () =>
      Effect.gen(function* () {
        const commands = [
          "plan",
          "apply",
          "status",
          "history",
          "diff",
          "rollback",
          "freeze",
          "unfreeze",
          "halt",
          "resume",
        ];
        for (const command of commands) {
          const help = yield* runSpillway(["config", command, "--help"]);
          assert.include(help.stdout, `spillway config ${command}`, command);
          assert.match(help.stdout, /EXAMPLES/, command);
        }
      }),
    120_000,
  );

  it.live(
    "status, history and diff show what is so; rollback wants to be told twice",
    () =>
      Effect.gen(function* () {
        const { before, node, run, script } = yield* world;
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
        script(before, { last: record({ rollbackOf: 3 }), frozen: { who: "me", why: "", atMillis: 0 } });
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
    120_000,
  );
});
