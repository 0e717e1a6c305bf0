import { Deferred, Effect } from "effect";

/** A level-triggered wake-up for one waiting loop. */
export class Signal {
  private deferred = Deferred.makeUnsafe<void>();
  private raised = false;

  /**
   * Later, never inline: completing a deferred runs the waiting fiber at once, and whoever raises is in the middle of
   * dealing a message out. A row taken there would count a chunk that its sequence does not.
   */
  raise(): void {
    if (this.raised) return;
    this.raised = true;
    queueMicrotask(() => {
      this.raised = false;
      Deferred.doneUnsafe(this.deferred, Effect.void);
    });
  }

  /** Completes at the next `raise`, at once when there was one since the last wait, or after `millis`. */
  wait(millis: number): Effect.Effect<void> {
    return Deferred.await(this.deferred).pipe(
      Effect.timeoutOption(millis),
      Effect.andThen(
        Effect.sync(() => {
          this.deferred = Deferred.makeUnsafe<void>();
        }),
      ),
    );
  }
}
