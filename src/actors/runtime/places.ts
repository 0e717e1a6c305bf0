import { Effect } from "effect";

/**
 * A bounded number of places, given in the order in which they were asked for. Effect's semaphore looks through all who
 * wait at every release: with ten thousand batches closing in the same second that was a fifth of the node's CPU.
 */
export class Places {
  private free: number;
  private queue: Array<() => void> = [];
  private head = 0;

  constructor(places: number) {
    this.free = places;
  }

  /** Runs the effect in a place. Waiting is not interruptible: whoever is interrupted meanwhile passes its place on. */
  run<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      this.enter,
      () => effect,
      () => Effect.sync(() => this.leave()),
    );
  }

  private readonly enter: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.free > 0) {
      this.free -= 1;
      resume(Effect.void);
    } else {
      this.queue.push(() => resume(Effect.void));
    }
  });

  private leave(): void {
    const next = this.queue[this.head];
    if (next === undefined) {
      this.free += 1;
      return;
    }
    this.head += 1;
    // Taken ones are cut off now and then, not each time: that would be linear again.
    if (this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    next();
  }
}
