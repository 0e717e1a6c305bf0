import { type Context, Duration, Effect, type Fiber } from "effect";
import { type ActorOptions, type AnyActorLogic, fromPromise, type PromiseActorLogic } from "xstate";

/**
 * Actor logic for one task. The effect cannot fail (`E = never`): expected results are in its output. Its services are
 * captured here, once; leaving the invoking state interrupts the fiber.
 */
export const fromEffect = Effect.fnUntraced(function* <Output, Input, R>(
  task: (input: Input) => Effect.Effect<Output, never, R>,
): Effect.fn.Return<PromiseActorLogic<Output, Input>, never, R> {
  const runPromise = Effect.runPromiseWith(yield* Effect.context<R>());
  return fromPromise<Output, Input>(({ input, signal }) => runPromise(task(input), { signal }));
});

/** XState's timers on Effect's Clock, so that TestClock drives `after`. */
export const clockFrom = (context: Context.Context<never>): NonNullable<ActorOptions<AnyActorLogic>["clock"]> => {
  const runFork = Effect.runForkWith(context);
  return {
    setTimeout: (run: () => void, millis: number) =>
      runFork(Effect.andThen(Effect.sleep(Duration.millis(millis)), Effect.sync(run))),
    clearTimeout: (fiber: Fiber.Fiber<void> | undefined) => fiber?.interruptUnsafe(),
  };
};
