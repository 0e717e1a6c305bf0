import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { initialTransition, transition } from "xstate";
import { type BufferEvent, bufferMachine } from "../../../src/actors/buffer/machine.ts";
import type { DeadLetterInput, PushInput } from "../../../src/domain/push-attempt.ts";
import { delivered, rejected } from "../../../src/domain/push-outcome.ts";
import { batch, input, nowMillis } from "./machine-alphabet.ts";

interface Story {
  readonly delivered: ReadonlyArray<number>;
  readonly dead: ReadonlyArray<number>;
  readonly pushes: number;
  readonly ends: string;
}

/** A destination that refuses every push which holds a poisonous record, and a store for dead letters. */
const tell = (records: number, poison: ReadonlySet<number>, deadLettersInRowMax: number): Story => {
  const arrived: Array<number> = [];
  const dead: Array<number> = [];
  let pushes = 0;
  let [snapshot] = initialTransition(bufferMachine, { ...input, deadLettersInRowMax });
  let event: BufferEvent | undefined = { type: "batch.closed", batch: { ...batch, records } };
  while (event !== undefined) {
    const [next, actions]: ReturnType<typeof transition<typeof bufferMachine>> = transition(
      bufferMachine,
      snapshot,
      event,
    );
    snapshot = next;
    event = undefined;
    for (const { params, type } of actions as ReadonlyArray<{ type: string; params: unknown }>) {
      if (type === "wantRow") event = { type: "row.written" };
      if (type === "startDeadLetter") {
        dead.push((params as DeadLetterInput).index);
        event = { type: "deadLetter.stored", written: { records: 1, bytes: 10 }, nowMillis, jitter: 0 };
      }
      if (type !== "startPush") continue;
      pushes += 1;
      const { attempt, part } = params as PushInput;
      const { from, to } = part ?? { from: 0, to: records };
      const range = Array.from({ length: to - from }, (_, i) => from + i);
      const isRefused = range.some((index) => poison.has(index));
      if (!isRefused) arrived.push(...range);
      const outcome = isRefused ? rejected("data", "422", 422) : delivered(200);
      const written = { records: range.length, bytes: range.length * 10 };
      event = {
        type: "push.answered",
        attempt,
        answer: { outcome, nowMillis, jitter: 0, durationMillis: 1, bodyBytes: 1, written },
      };
    }
  }
  return { delivered: arrived, dead, pushes, ends: snapshot.value.delivery };
};

describe("a batch that is refused for its data", () => {
  it("is delivered but for the records that are refused alone, each once and in order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(299), { maxLength: 12 }), (records, indices) => {
        const poison = new Set(indices.filter((index) => index < records));
        const story = tell(records, poison, 1_000);
        assert.strictEqual(story.ends, "idle");
        assert.deepStrictEqual(
          story.dead,
          [...poison].toSorted((a, b) => a - b),
        );
        const others = Array.from({ length: records }, (_, i) => i).filter((index) => !poison.has(index));
        assert.deepStrictEqual(story.delivered, others);
      }),
    );
  });

  it("costs a binary search per refused record", () => {
    const story = tell(10_000, new Set([5_123]), 20);
    assert.deepStrictEqual(story.dead, [5_123]);
    assert.lengthOf(story.delivered, 9_999);
    assert.isAtMost(story.pushes, 1 + Math.ceil(Math.log2(10_000)) + 2);
  });

  it("is taken for a destination that refuses everything when one record after the other is refused", () => {
    const story = tell(100, new Set(Array.from({ length: 100 }, (_, i) => i)), 3);
    assert.strictEqual(story.ends, "suspended");
    assert.deepStrictEqual(story.dead, [0, 1, 2]);
  });
});
