import { assert, describe, it } from "vitest";
import { isInForce, normalTarget, switchIdOf, targetProblem } from "../../src/domain/kill-switch.ts";
import { SwitchSet } from "../../src/domain/switch-set.ts";
import { aSwitch } from "../support/scripted-switches.ts";

describe("the id of a kill switch", () => {
  it("follows from its target alone, is a key that NATS takes, and no two targets share it", () => {
    const targets = [
      { kind: "everything", target: "" },
      { kind: "customer", target: "c-17" },
      { kind: "dataset", target: "c-17" },
      { kind: "destination", target: "c-17" },
      { kind: "destination", target: "localhost:8080" },
      { kind: "destination", target: "localhost_8080" },
      { kind: "destination", target: "localhost.8080" },
      { kind: "destination", target: "localhost=3a8080" },
      { kind: "destination", target: "[::1]:9000" },
      { kind: "destination", target: "logs.example.com." },
      { kind: "destination", target: "logs..example.com" },
    ] as const;
    const ids = targets.map(switchIdOf);
    assert.strictEqual(new Set(ids).size, targets.length);
    for (const id of ids) assert.match(id, /^[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*$/);
    assert.strictEqual(ids[4], "destination-localhost=3a8080");
  });
});

describe("the target of a kill switch", () => {
  it("must be one of its kind", () => {
    assert.isUndefined(targetProblem({ kind: "customer", target: "c-17" }, "both"));
    assert.match(targetProblem({ kind: "customer", target: "c.17" }, "both") ?? "", /no name of a customer/);
    assert.match(targetProblem({ kind: "dataset", target: "" }, "delivery") ?? "", /no name of a dataset/);
    assert.isUndefined(targetProblem({ kind: "everything", target: "" }, "both"));
    assert.match(targetProblem({ kind: "everything", target: "c-17" }, "both") ?? "", /no target/);
    assert.isUndefined(targetProblem({ kind: "destination", target: "logs.example.com:8443" }, "delivery"));
    assert.match(targetProblem({ kind: "destination", target: "https://a/b" }, "delivery") ?? "", /spillway hosts/);
    assert.match(targetProblem({ kind: "destination", target: "a.example" }, "intake") ?? "", /no intake/);
  });

  it("is compared as URLs have hosts, and customers as they are", () => {
    assert.strictEqual(normalTarget({ kind: "destination", target: "Logs.Example.COM" }).target, "logs.example.com");
    assert.strictEqual(normalTarget({ kind: "customer", target: "ACME" }).target, "ACME");
  });

  it("is in force until its time is over, to the millisecond", () => {
    assert.isTrue(isInForce({}, Number.MAX_SAFE_INTEGER));
    assert.deepStrictEqual([isInForce({ untilMillis: 10 }, 9), isInForce({ untilMillis: 10 }, 10)], [true, false]);
  });
});

describe("a set of kill switches", () => {
  it("stops what each of its switches names, and nothing else", () => {
    const set = new SwitchSet([
      aSwitch("customer", "acme"),
      aSwitch("dataset", "audit", { stops: "both" }),
      aSwitch("destination", "dead.example:443"),
      aSwitch("customer", "globex", { stops: "intake" }),
    ]);
    const held = (customer: string, dataset: string, host: string) => set.holding(customer, dataset, host)?.id;
    assert.strictEqual(held("acme", "logs", "well.example"), "customer-acme");
    assert.strictEqual(held("initech", "audit", "well.example"), "dataset-audit");
    assert.strictEqual(held("initech", "logs", "dead.example:443"), "destination-dead.example=3a443");
    assert.isUndefined(held("initech", "logs", "dead.example"));
    assert.isUndefined(held("globex", "logs", "well.example"), "only its intake is stopped");
    assert.isUndefined(held("audit", "acme", "well.example"), "a dataset of a customer's name is another thing");
    assert.strictEqual(set.refusing("globex", "logs")?.id, "customer-globex");
    assert.strictEqual(set.refusing("initech", "audit")?.id, "dataset-audit");
    assert.isUndefined(set.refusing("acme", "logs"), "only its delivery is stopped");
    assert.deepStrictEqual([set.countOf("customer"), set.countOf("everything")], [2, 0]);
  });

  it("of everything stops everything", () => {
    const set = new SwitchSet([aSwitch("everything", "", { stops: "both" })]);
    assert.strictEqual(set.holding("a", "b", "c")?.id, "everything");
    assert.strictEqual(set.refusing("a", "b")?.id, "everything");
  });

  it("that is empty says so beforehand", () => {
    const set = new SwitchSet([]);
    assert.deepStrictEqual([set.stopsDelivery, set.stopsIntake], [false, false]);
    assert.isUndefined(set.holding("a", "b", "c"));
  });
});
