import { assert, describe, it } from "@effect/vitest";
import { patience, type Patience, type Waiting } from "../../src/control-thread/patience.ts";

const limits = { controlAnswerMillisMax: 100, controlSilentMillisMax: 15_000 };
const base: Waiting = { waitedMillis: 120, silentMillis: 10, knownMillis: undefined, insists: false };

describe("patience", () => {
  const table: ReadonlyArray<readonly [string, Partial<Waiting>, Patience]> = [
    ["within the time that the main thread has", { waitedMillis: 99, silentMillis: 99, knownMillis: 1 }, "wait"],
    ["late, and what is known is young", { knownMillis: 4_999 }, "known"],
    ["late but alive, and what is known is old", { knownMillis: 6_000 }, "wait"],
    ["stalled, and what is known is old", { silentMillis: 150, knownMillis: 3_600_000 }, "known"],
    ["alive, nothing known: as long as it takes", { waitedMillis: 60_000 }, "wait"],
    ["but not for ever", { waitedMillis: 3_600_000 }, "busy"],
    ["stalled for a moment, nothing known", { silentMillis: 999 }, "wait"],
    ["stalled, nothing known", { silentMillis: 1_000 }, "busy"],
    ["insists, stalled, known", { insists: true, silentMillis: 14_000, knownMillis: 1 }, "wait"],
    ["insists, stuck", { insists: true, silentMillis: 15_000, knownMillis: 1 }, "busy"],
  ];
  for (const [name, waiting, expected] of table) {
    it(`${name}: ${expected}`, () => assert.strictEqual(patience({ ...base, ...waiting }, limits), expected));
  }
});
