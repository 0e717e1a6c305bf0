import { Context, Effect, Layer } from "effect";

/**
 * Tells readers of this process that this process wrote to a partition, so that a record does not wait for the next
 * idle poll. Only a hint: what other nodes write is found by polling.
 */
export class WriteHints extends Context.Service<
  WriteHints,
  {
    readonly wrote: (partition: number) => void;
    /** Completes at the next `wrote`, or after `millis`. */
    readonly wait: (partition: number, millis: number) => Effect.Effect<void>;
  }
>()("spillway/streams/WriteHints") {
  static readonly layer = Layer.sync(WriteHints, () => {
    const waiting = new Map<number, Set<() => void>>();
    const pending = new Set<number>();
    return WriteHints.of({
      wrote: (partition) => {
        const woken = waiting.get(partition);
        // Remembered when nobody waits: the write may have landed between a reader's empty answer and its wait.
        if (woken === undefined || woken.size === 0) pending.add(partition);
        else for (const wake of woken) wake();
      },
      wait: (partition, millis) =>
        Effect.callback<void>((resume) => {
          if (pending.delete(partition)) {
            resume(Effect.void);
            return Effect.void;
          }
          const woken = waiting.get(partition) ?? new Set();
          waiting.set(partition, woken);
          const wake = () => {
            woken.delete(wake);
            resume(Effect.void);
          };
          woken.add(wake);
          return Effect.sync(() => woken.delete(wake));
        }).pipe(Effect.timeoutOption(millis), Effect.asVoid),
    });
  });
}
