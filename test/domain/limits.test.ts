import { assert, describe, it } from "@effect/vitest";
import { Schema } from "effect";
import { readFileSync } from "node:fs";
import { contradictions, Limits } from "../../src/domain/limits.ts";

const { limits: defaults } = JSON.parse(readFileSync("config/default.json", "utf8")) as {
  readonly limits: Record<string, number>;
};
const decode = (limits: unknown) => Schema.decodeUnknownSync(Limits)(limits);

/** For each relation, a set in which only that one is broken, if it can be broken alone. */
const broken: ReadonlyArray<readonly [change: Record<string, number>, named: string]> = [
  [{ recordBytesMax: 70_000_000, messageBytesMax: 80_000_000, outboxWriteBytesMax: 80_000_000 }, "recordBytesMax"],
  [{ recordBytesMax: 9_000_000 }, "recordBytesMax"],
  [{ requestBodyBytesMax: 300_000_000 }, "requestBodyBytesMax"],
  [{ chunkRawBytesMax: 9_000_000 }, "chunkRawBytesMax"],
  [{ muxRawBytesMax: 9_000_000 }, "muxRawBytesMax"],
  [{ plainChunkRawBytesMin: 600_000 }, "plainChunkRawBytesMin"],
  [{ outboxWriteBytesMax: 4_000_000 }, "messageBytesMax"],
  [{ outboxBytesMax: 20_000_000 }, "requestInflatedBytesMax"],
  [{ windowBytesMax: 2_000_000 }, "bufferWindowBytesMax"],
  [{ checkpointUrgentMillis: 2_000 }, "checkpointUrgentMillis"],
  [{ checkpointMillis: 20_000 }, "checkpointMillis"],
  [{ retryBaseMillis: 100_000 }, "retryBaseMillis"],
  [{ retentionSecondsMin: 100_000 }, "retentionSecondsMin"],
  [{ guardedPercent: 90 }, "guardedPercent"],
  [{ surgingPercent: 100 }, "surgingPercent"],
  [{ guardedPercent: 5 }, "admissionEasedPercent"],
  [{ memoryBytesMax: 268_435_456 }, "windowBytesMax"],
  [{ outboxWriteBytesMax: 300_000_000 }, "outboxWriteBytesMax"],
  [{ readBytesMax: 100_000_000 }, "readBytesMax"],
  [{ pushSlowMillis: 70_000 }, "pushSlowMillis"],
  [{ pushStallMillisMax: 70_000 }, "pushStallMillisMax"],
  [{ pushesPerHostFirst: 129 }, "pushesPerHostFirst"],
  [{ pushesPerHostMax: 257 }, "pushesPerHostMax"],
  [{ checkpointCountMillis: 20_000 }, "checkpointCountMillis"],
  [{ suspendedProbeMillis: 50_000 }, "retryMillisMax"],
  [{ newBuffersPerSecondMax: 10_001 }, "newBuffersPerSecondMax"],
  [{ deadLetterBytesMax: 1_048_576, recordBytesMax: 1_100_000 }, "recordBytesMax"],
  [{ controlSilentMillisMax: 1_000, controlAnswerMillisMax: 1_001 }, "controlAnswerMillisMax"],
];

describe("limits", () => {
  it("have a default each, and the defaults do not contradict one another (I4)", () => {
    assert.deepStrictEqual(contradictions(decode(defaults)), []);
    assert.sameMembers(Object.keys(defaults), Object.keys(Limits.fields));
  });

  for (const name of Object.keys(defaults)) {
    it(`cannot do without ${name}`, () => {
      const { [name]: _, ...others } = defaults;
      assert.throws(() => decode(others));
      assert.throws(() => decode({ ...others, [name]: -1 }));
      assert.throws(() => decode({ ...others, [name]: 1.5 }));
      assert.throws(() => decode({ ...others, [name]: "10" }));
    });
  }

  for (const [change, named] of broken) {
    it(`contradict one another with ${JSON.stringify(change)}, and say which and why`, () => {
      const said = contradictions(decode({ ...defaults, ...change }));
      assert.strictEqual(said.length, 1, said.join("; "));
      assert.match(said[0]!, new RegExp(`^${named} \\(\\d+\\) must not exceed \\w+ \\(\\d+\\): \\w`));
    });
  }

  it("are named with their unit", () => {
    for (const name of Object.keys(defaults)) {
      assert.match(
        name,
        /(Bytes|Millis|Seconds|Records|Messages|Batches|Rows|InFlight|PerHost|Attempts|Listed|Jobs|Snapshots|Breaches|jobs|History|replays|inspectors|Switches|Frames|Percent|Failures|Crashes|Letters|Buffers|Residents|Periods|Rule|Queue)/,
      );
    }
  });
});
