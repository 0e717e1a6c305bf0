import { type Context, Duration, Effect, type Fiber } from "effect";
import type { ActorOptions, AnyActorLogic } from "xstate";

/** XState's timers on Effect's Clock, so that TestClock drives `after`. */
export const clockFrom = (context: Context.Context<never>): NonNullable<ActorOptions<AnyActorLogic>["clock"]> => {
  const runFork = Effect.runForkWith(context);
  return {
    setTimeout: (run: () => void, millis: number) =>
      runFork(Effect.andThen(Effect.sleep(Duration.millis(millis)), Effect.sync(run))),
    clearTimeout: (fiber: Fiber.Fiber<void> | undefined) => fiber?.interruptUnsafe(),
  };
};
