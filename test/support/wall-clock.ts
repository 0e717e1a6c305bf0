import { Clock, Effect } from "effect";

/** The node's wall clock, as a person or NTP may set it: timers and the steady clock go on as if nothing were. */
export interface WallClock {
  /** By so much it is ahead of the time that has really passed. */
  aheadMillis: number;
  readonly clock: Clock.Clock;
}

/** Over the clock of the context, which a `TestClock` may be: adjusting that one still drives everything. */
export const makeWallClock: Effect.Effect<WallClock> = Effect.map(Clock.Clock, (steady) => {
  const wall = { aheadMillis: 0 };
  const currentTimeMillisUnsafe = () => steady.currentTimeMillisUnsafe() + wall.aheadMillis;
  const currentTimeNanosUnsafe = () => steady.currentTimeNanosUnsafe() + BigInt(wall.aheadMillis) * 1_000_000n;
  const clock = {
    ...steady,
    sleep: steady.sleep.bind(steady),
    monotonicTimeNanosUnsafe: () => steady.monotonicTimeNanosUnsafe(),
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
  };
  return Object.assign(wall, { clock });
});
