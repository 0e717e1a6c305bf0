import { Clock, Effect } from "effect";

/**
 * Milliseconds of a clock that nobody sets, since some moment: for what has passed, and for how long to wait. The
 * clock on the wall may jump an hour at any time, and a wait that was reckoned by it would be an hour longer.
 */
export const steadyMillisOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000;

export const steadyMillis: Effect.Effect<number> = Effect.map(Clock.Clock, steadyMillisOf);
