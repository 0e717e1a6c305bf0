import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { Newcomers } from "../../../src/actors/admission/newcomers.ts";
import { Tokens } from "../../../src/actors/admission/tokens.ts";

const limits = { newcomerSeconds: 60, newcomerSharePercent: 10 };

describe("tokens", () => {
  it("never give more than the burst and what time brought, whatever is asked when", () => {
    const questions = fc.array(fc.record({ afterMillis: fc.integer({ min: -500, max: 2_000 }), asked: fc.nat(20) }));
    fc.assert(
      fc.property(questions, (all) => {
        let nowMillis = 1_000;
        let forward = 0;
        let given = 0;
        const tokens = new Tokens(
          () => 10,
          () => 25,
          nowMillis,
        );
        for (const { afterMillis, asked } of all) {
          nowMillis += afterMillis;
          forward += Math.max(0, afterMillis);
          for (let i = 0; i < asked; i++) {
            if (tokens.at(nowMillis) < 1) continue;
            tokens.spend(1);
            given += 1;
          }
        }
        assert.isAtMost(given, 25 + (forward * 10) / 1_000 + 1e-6);
      }),
    );
  });

  it("come back with time", () => {
    const tokens = new Tokens(
      () => 10,
      () => 5,
      0,
    );
    tokens.spend(5);
    assert.isBelow(tokens.at(0), 1);
    assert.isAtLeast(tokens.at(100), 1);
    assert.strictEqual(tokens.at(60_000), 5);
  });
});

describe("newcomers", () => {
  it("are those who first sent less than a minute ago", () => {
    const newcomers = new Newcomers(limits, 0);
    newcomers.see("a", false, 100_000);
    assert.isTrue(newcomers.isNewcomer("a", 100_000));
    assert.isTrue(newcomers.isNewcomer("a", 159_999));
    assert.isFalse(newcomers.isNewcomer("a", 160_000));
    assert.isTrue(newcomers.isNewcomer("unknown", 160_000));
  });

  it("stay so until the surge is over when they came with it", () => {
    const newcomers = new Newcomers(limits, 0);
    newcomers.see("before", false, 100_000);
    newcomers.surgeBegan(200_000);
    newcomers.see("during", false, 200_001);
    assert.isFalse(newcomers.isNewcomer("before", 500_000));
    assert.isTrue(newcomers.isNewcomer("during", 500_000));
    newcomers.surgeEnded();
    assert.isFalse(newcomers.isNewcomer("during", 500_000));
  });

  it("are not those that were configured when the node started, while it is young: nobody pays for a restart", () => {
    const newcomers = new Newcomers(limits, 1_000);
    newcomers.see("configured", true, 2_000);
    newcomers.see("added", false, 2_000);
    newcomers.see("configured, silent so far", true, 61_000);
    newcomers.surgeBegan(1_500);
    assert.isFalse(newcomers.isNewcomer("configured", 2_000));
    assert.isTrue(newcomers.isNewcomer("added", 2_000));
    assert.isTrue(newcomers.isNewcomer("configured, silent so far", 61_000));
  });

  it("share at most a tenth of what the others publish, or of the least bandwidth, over any run", () => {
    const steps = fc.array(
      fc.record({
        afterMillis: fc.integer({ min: 1, max: 1_000 }),
        others: fc.nat(5_000_000),
        newcomer: fc.nat(500_000),
      }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const newcomers = new Newcomers(limits, 0);
        let nowMillis = 0;
        let theirs = 0;
        let others = 0;
        let largest = 0;
        for (const { afterMillis, others: bytes, newcomer } of all) {
          nowMillis += afterMillis;
          const wants = newcomers.haveShare(nowMillis) ? newcomer : 0;
          newcomers.published(bytes + wants, wants, nowMillis);
          theirs += wants;
          others += bytes;
          largest = Math.max(largest, wants);
        }
        // A tenth of what flowed, of the least bandwidth at any time, one burst of either, and one body beyond.
        const least = (nowMillis / 1_000 + 1) * 104_857.6;
        assert.isAtMost(theirs, others * 0.1 * 1.1 + least + largest);
      }),
    );
  });

  it("have nothing left after one large body, and something again later", () => {
    const newcomers = new Newcomers(limits, 0);
    assert.isTrue(newcomers.haveShare(0));
    newcomers.published(1_000_000, 1_000_000, 0);
    assert.isFalse(newcomers.haveShare(5_000));
    assert.isTrue(newcomers.haveShare(10_000));
  });

  it("are forgotten when they are served no more, so that the table stays as small as the set of jobs", () => {
    const newcomers = new Newcomers(limits, 0);
    const served = new Map([["kept", 1]]);
    newcomers.see("kept", false, 1);
    for (let i = 0; i < 1_000; i++) newcomers.see(`gone-${i}`, false, 2);
    newcomers.keepOnly(served);
    assert.strictEqual(newcomers.size, 1);
    assert.isFalse(newcomers.isNewcomer("kept", 61_000));
  });
});
