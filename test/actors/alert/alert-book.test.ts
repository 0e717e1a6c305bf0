import { assert, describe, it } from "@effect/vitest";
import { readFileSync } from "node:fs";
import { AlertBook } from "../../../src/actors/alert/alert-book.ts";
import type { Reading, Readings } from "../../../src/actors/ports/alert-signals.ts";
import type { AlertRules } from "../../../src/domain/alert-rule.ts";
import { aRule, rulesOf } from "./alert-rules.ts";

const shipped = JSON.parse(readFileSync("config/alerts.json", "utf8")) as AlertRules;

const reading = (job: string, value = 1): Reading => ({ signal: "jobSuspended", labels: { job }, value });
const readings = (list: ReadonlyArray<Reading>, unlisted = 0, absent: Readings["absent"] = () => 0): Readings => ({
  list,
  absent,
  unlisted: new Map([["jobSuspended", unlisted]]),
});

class Evaluated {
  readonly book: AlertBook;
  nowMillis = 1_000_000;

  constructor(rules: AlertRules, alertsPerRuleMax = 20) {
    this.book = new AlertBook({ rules, node: "node-a", alertsPerRuleMax });
  }

  with(list: ReadonlyArray<Reading>, unlisted = 0, absent?: Readings["absent"]) {
    this.nowMillis += 2_000;
    return this.book.evaluate(readings(list, unlisted, absent), this.nowMillis);
  }
}

describe("the rules that are shipped", () => {
  for (const rule of shipped.rules) {
    it(`${rule.id} fires on a fitting reading, not before its time, not on one below, and is resolved`, () => {
      const run = new Evaluated({ ...shipped, rules: [rule] });
      const bad = rule.threshold + 1;
      const good = rule.comparison === ">" ? rule.threshold : rule.threshold - 1;
      const read = (value: number) => run.with([{ signal: rule.signal, labels: {}, value }]);
      const rounds = (seconds: number) => Math.ceil(seconds / 2);
      for (let i = 0; i < 10; i++) assert.deepStrictEqual(read(good), []);
      assert.deepStrictEqual(run.book.alerts(), []);
      for (let i = 0; i < rounds(rule.forSeconds); i++) assert.deepStrictEqual(read(bad), [], `round ${i}`);
      const [fired, ...others] = read(bad);
      assert.deepStrictEqual([fired?.news, fired?.value, others], ["firing", bad, []]);
      for (let i = 0; i < 10; i++) assert.deepStrictEqual(read(bad), []);
      for (let i = 1; i < rounds(rule.keepSeconds); i++) assert.deepStrictEqual(read(good), [], `round ${i}`);
      const [resolved] = read(good);
      assert.deepStrictEqual([resolved?.news, resolved?.dedupKey], ["resolved", fired?.dedupKey]);
    });
  }

  it("watch every signal that there is", async () => {
    const { alertSignals } = await import("../../../src/domain/alert-rule.ts");
    assert.sameMembers([...new Set(shipped.rules.map(({ signal }) => signal))], [...alertSignals]);
  });
});

describe("the alerts of a rule", () => {
  it("are one per set of labels, whatever the order of the labels", () => {
    const run = new Evaluated(rulesOf(aRule()));
    const both = [reading("a"), reading("b")];
    assert.deepStrictEqual(
      run.with(both).map(({ labels, news }) => [labels["job"], news]),
      [
        ["a", "firing"],
        ["b", "firing"],
      ],
    );
    assert.deepStrictEqual(run.with([...both, ...both]), []);
    const turned = new Evaluated(rulesOf(aRule()));
    const [first] = turned.with([{ signal: "jobSuspended", labels: { x: "1", y: "2" }, value: 1 }]);
    assert.deepStrictEqual(turned.with([{ signal: "jobSuspended", labels: { y: "2", x: "1" }, value: 1 }]), []);
    assert.strictEqual(first?.dedupKey, 'spillway/jobSuspended/x="1",y="2"');
  });

  it("have the same key on every node when they are the cluster's, and one of each node's otherwise", () => {
    const keyOn = (node: string, scope: "node" | "cluster") =>
      new AlertBook({ rules: rulesOf(aRule({ scope })), node, alertsPerRuleMax: 5 }).evaluate(
        readings([reading("a")]),
        1,
      )[0]!.dedupKey;
    assert.strictEqual(keyOn("one", "cluster"), keyOn("two", "cluster"));
    assert.notStrictEqual(keyOn("one", "node"), keyOn("two", "node"));
  });

  it("are so many and no more, the worst first; the others are counted, and come when there is room", () => {
    const run = new Evaluated(rulesOf(aRule()), 2);
    const told = run.with([reading("a", 1), reading("b", 3), reading("c", 2), reading("d", 0)], 1_000);
    assert.deepStrictEqual(
      told.map(({ labels }) => labels["job"]),
      ["b", "c"],
    );
    assert.strictEqual(run.book.leftOut().get("jobSuspended"), 1_001);
    // `b` is well again: it makes room, though it is still shown when nobody needs its place.
    const next = run.with([reading("a", 1), reading("b", 0), reading("c", 2)]);
    assert.deepStrictEqual(
      next.map(({ labels, news }) => [labels["job"], news]),
      [
        ["b", "resolved"],
        ["a", "firing"],
      ],
    );
    assert.strictEqual(run.book.leftOut().get("jobSuspended"), 0);
    assert.lengthOf(run.book.alerts(), 2);
  });

  it("are not resolved for being left out of a list that is cut, and are when it is whole", () => {
    const run = new Evaluated(rulesOf(aRule()));
    run.with([reading("a")]);
    assert.deepStrictEqual(
      run.with([reading("b", 9)], 5).map(({ labels, news }) => [labels["job"], news]),
      [["b", "firing"]],
    );
    assert.deepStrictEqual(
      run.with([reading("b", 9)]).map(({ labels, news }) => [labels["job"], news]),
      [["a", "resolved"]],
    );
  });

  it("go silently when another node has what they are about, and stand still when nobody knows", () => {
    const run = new Evaluated(rulesOf(aRule({ keepSeconds: 4 })));
    run.with([reading("moves"), reading("rests"), reading("unheard")]);
    const at = { moves: "elsewhere", rests: 1, unheard: "unknown" } as const;
    const absent: Readings["absent"] = (_, labels) => at[labels["job"] as keyof typeof at];
    for (let i = 0; i < 10; i++) assert.deepStrictEqual(run.with([], 0, absent), []);
    assert.deepStrictEqual(
      run.book.alerts().map(({ labels, state }) => [labels["job"], state]),
      [
        ["rests", "firing"],
        ["unheard", "firing"],
      ],
    );
    // It comes back: that is a new alert, under the same key.
    assert.deepStrictEqual(
      run.with([reading("moves")], 0, absent).map(({ dedupKey, news }) => [dedupKey, news]),
      [['spillway/jobSuspended/job="moves"', "firing"]],
    );
    run.with([]);
    const over = [...run.with([]), ...run.with([])].map(({ labels, news }) => `${labels["job"]} ${news}`);
    assert.sameMembers(over, ["moves resolved", "rests resolved", "unheard resolved"]);
  });

  it("are more where each of them must be seen: every kill switch that there can be", () => {
    const on = Array.from({ length: 100 }, (_, i) => ({
      signal: "killSwitchOn" as const,
      labels: { name: `customer-c-${i}` },
      value: 1,
    }));
    const run = new Evaluated(shipped, 20);
    const told = run.with(on);
    assert.lengthOf(told, 100);
    assert.isTrue(told.every(({ news, rule }) => news === "firing" && rule.id === "killSwitchOn"));
    assert.strictEqual(run.book.leftOut().get("killSwitchOn"), 0);
  });

  it("are forgotten: a year of changing labels leaves nothing behind", () => {
    const run = new Evaluated(rulesOf(aRule()));
    for (let i = 0; i < 1_000; i++) run.with([reading(`job-${i}`)]);
    assert.isAtMost(run.book.alerts().length, 20);
    for (let i = 0; i < 500; i++) run.with([]);
    assert.deepStrictEqual(run.book.alerts(), []);
  });
});
