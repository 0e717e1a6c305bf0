import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { type BacklogFacts, judgeBacklogs, type QuotaEvent } from "../../../src/actors/admission/quota.ts";

const limits = { backlogBytesPerCustomerMax: 1_000, backlogAgeSecondsMax: 100, backlogEasedPercent: 80 };

const backlog = (over: Partial<BacklogFacts> = {}): BacklogFacts => ({
  customer: "acme",
  policy: "refuse",
  pendingBytes: 100,
  ageMillis: 1_000,
  live: false,
  flow: "backpressured",
  ...over,
});

/** In one word each: the policy, `eased`, or nothing to tell. */
const judge = (...backlogs: ReadonlyArray<BacklogFacts>) => judgeBacklogs(backlogs, limits).map((event) => word(event));
const word = (event: QuotaEvent | undefined) =>
  event === undefined ? "" : event.type === "backlog.eased" ? "eased" : event.policy;

describe("the quota of backlogs", () => {
  it("adds a customer's backlogs up, and takes the largest until the rest is within it", () => {
    assert.deepStrictEqual(
      judge(
        backlog({ pendingBytes: 300 }),
        backlog({ pendingBytes: 800 }),
        backlog({ pendingBytes: 100 }),
        backlog({ customer: "globex", pendingBytes: 1_000 }),
      ),
      ["", "refuse", "", ""],
    );
    assert.deepStrictEqual(
      judge(backlog({ pendingBytes: 900 }), backlog({ pendingBytes: 1_100 }), backlog({ pendingBytes: 950 })),
      ["", "refuse", "refuse"],
    );
  });

  it("takes each backlog that is too old, and no younger one of the same customer", () => {
    const old = { ageMillis: 100_001 };
    assert.deepStrictEqual(judge(backlog(old), backlog({ ageMillis: 100_000 })), ["refuse", ""]);
    assert.deepStrictEqual(judge(backlog({ ...old, policy: "shedOldest" })), ["shedOldest"]);
    assert.deepStrictEqual(judge(backlog({ ...old, pendingBytes: 0 })), [""]);
  });

  it("takes no backlog in bytes that a window holds: a batch may be larger than the quota; in age it does", () => {
    assert.deepStrictEqual(judge(backlog({ pendingBytes: 5_000, live: true, flow: "live" })), [""]);
    assert.deepStrictEqual(judge(backlog({ live: true, flow: "live", ageMillis: 1_000_000 })), ["refuse"]);
  });

  it("tells nobody twice, and tells a changed policy", () => {
    const over = { pendingBytes: 2_000 };
    assert.deepStrictEqual(judge(backlog({ ...over, flow: "overloaded.refuse" })), [""]);
    assert.deepStrictEqual(judge(backlog({ ...over, flow: "overloaded.refuse", policy: "shedOldest" })), [
      "shedOldest",
    ]);
  });

  it("tells an actor that has restarted again, and one that restarts nothing yet", () => {
    assert.deepStrictEqual(judge(backlog({ pendingBytes: 2_000, flow: "live" })), ["refuse"]);
    assert.deepStrictEqual(judge(backlog({ pendingBytes: 2_000, flow: undefined })), [""]);
  });

  it("eases well below the quota in bytes and in age, and not before", () => {
    const overloaded = { flow: "overloaded.refuse" };
    assert.deepStrictEqual(judge(backlog({ ...overloaded, pendingBytes: 801 })), [""]);
    assert.deepStrictEqual(judge(backlog({ ...overloaded, pendingBytes: 800 })), ["eased"]);
    assert.deepStrictEqual(judge(backlog({ ...overloaded, ageMillis: 80_001 })), [""]);
    assert.deepStrictEqual(judge(backlog({ ...overloaded, ageMillis: 80_000 })), ["eased"]);
    assert.deepStrictEqual(judge(backlog({ ...overloaded, pendingBytes: 0, ageMillis: 0 })), ["eased"]);
  });

  it("never touches a customer that is within its quota, whatever the others hold", () => {
    const others = fc.array(
      fc.record({
        customer: fc.constantFrom("b", "c", "d"),
        policy: fc.constantFrom("refuse" as const, "shedOldest" as const),
        pendingBytes: fc.nat(3_000),
        ageMillis: fc.integer({ min: 0, max: 1_000_000 }),
        live: fc.boolean(),
        flow: fc.constantFrom("live", "backpressured", "overloaded.refuse", "overloaded.shedOldest", undefined),
      }),
    );
    fc.assert(
      fc.property(others, fc.nat(1_000), fc.nat(100), (all, bytes, age) => {
        const mine = backlog({ pendingBytes: bytes, ageMillis: age * 1_000 });
        assert.strictEqual(judge(...all, mine).at(-1), "");
      }),
    );
  });

  it("leaves every customer within its quota once those that were told are left out", () => {
    const sizes = fc.array(fc.nat(2_000), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, (all) => {
        const told = judge(...all.map((pendingBytes) => backlog({ pendingBytes })));
        const rest = all.filter((_, i) => told[i] === "").reduce((sum, bytes) => sum + bytes, 0);
        assert.isAtMost(rest, limits.backlogBytesPerCustomerMax);
        const total = all.reduce((sum, bytes) => sum + bytes, 0);
        if (total <= limits.backlogBytesPerCustomerMax) assert.isTrue(told.every((each) => each === ""));
      }),
    );
  });
});
