import { Effect } from "effect";
import { TestClock } from "effect/testing";
import type { RolloutWorld } from "./rollout-world.ts";

/** It is looked so often. */
const lookMillis = 250;
const yields = 20;

/** Lets time pass for a cluster: whoever has died meanwhile is buried. */
export const passTime = (world: RolloutWorld, look: () => void = () => {}) =>
  Effect.fnUntraced(function* (millis: number) {
    for (let left = millis; left > 0; left -= lookMillis) {
      yield* TestClock.adjust(Math.min(left, lookMillis));
      // An answer to a command is worked out by a fiber that the clock does not know, and so does not wait for.
      for (let i = 0; i < yields; i++) yield* Effect.yieldNow;
      for (const node of world.nodes) if (node.user.isDead) yield* node.kill;
      look();
    }
  });
