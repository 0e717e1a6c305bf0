import { Clock, Effect, Exit, type Fiber, Random, Scope } from "effect";
import { createHash } from "node:crypto";
import { fromPromise, type PromiseActorLogic } from "xstate";
import { batchId } from "../../domain/batch.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { Destinations, type OpenDestination } from "../ports/destinations.ts";
import { Places } from "../runtime/places.ts";
import type { Buffer } from "./buffer.ts";
import type { PushAnswer, PushInput } from "./machine.ts";
import type { ClosedBatch } from "./window.ts";

/** A buffer that this node runs, and what its pushes need. */
export interface Running {
  readonly buffer: Buffer;
  readonly incarnation: string;
  /** The destination of the revision in effect, opened by the first push. */
  open:
    | { readonly revision: number; readonly destination: OpenDestination; readonly scope: Scope.Closeable }
    | undefined;
}

export interface PushOptions {
  readonly pushesInFlightMax: number;
  readonly pushesPerHostMax: number;
}

export const closeDestination = (each: Running): Effect.Effect<void> => {
  const open = each.open;
  each.open = undefined;
  return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void);
};

/**
 * Fills the machine's hole: find the batch, open the destination, wait for a place, push. Callbacks up to the
 * destination's own effect, because ten thousand batches may close in the same second: what stands in the queue holds
 * neither a fiber nor an encoded body.
 */
export const makePushLogic = Effect.fnUntraced(function* (
  options: PushOptions,
  running: ReadonlyMap<string, Running>,
): Effect.fn.Return<PromiseActorLogic<PushAnswer, PushInput>, never, Destinations> {
  const destinations = yield* Destinations;
  const clock = yield* Clock.Clock;
  const random = yield* Random.Random;
  const context = yield* Effect.context();
  const runFork = Effect.runForkWith(context);
  const places = new Places(options.pushesInFlightMax);
  const hosts = new Map<string, Places>();
  const placesAt = (host: string): Places => {
    let own = hosts.get(host);
    if (own === undefined) hosts.set(host, (own = new Places(options.pushesPerHostMax)));
    return own;
  };

  const attempt = (push: Push, destination: OpenDestination): void => {
    const host = placesAt(destination.host);
    // The host's place is taken first: pushes that wait for a slow host must not hold the node's places.
    host.enter(() => {
      places.enter(() => {
        if (push.given) {
          places.leave();
          host.leave();
          return;
        }
        const started = clock.currentTimeMillisUnsafe();
        const request = requestOf(push);
        push.fiber = runFork(destination.push(request));
        push.fiber.addObserver((exit) => {
          places.leave();
          host.leave();
          if (push.given) return;
          if (Exit.isFailure(exit)) return push.die(exit.cause);
          const nowMillis = clock.currentTimeMillisUnsafe();
          push.answer({
            outcome: exit.value,
            nowMillis,
            jitter: random.nextDoubleUnsafe(),
            durationMillis: nowMillis - started,
            bodyBytes: request.bodyBytes,
          });
        });
      });
    });
  };

  const open = (push: Push): void => {
    const { each } = push;
    const { job, revision } = each.buffer.effective;
    if (each.open?.revision === revision) return attempt(push, each.open.destination);
    const opening = Effect.gen(function* () {
      yield* closeDestination(each);
      const scope = yield* Scope.make();
      const destination = yield* Scope.provide(destinations.open(job), scope);
      each.open = { revision, destination, scope };
      return destination;
    });
    runFork(opening).addObserver((exit) => {
      if (Exit.isSuccess(exit)) attempt(push, exit.value);
      else push.die(exit.cause);
    });
  };

  return fromPromise<PushAnswer, PushInput>(
    ({ input, signal }) =>
      new Promise((resolve, reject) => {
        const each = running.get(input.job);
        if (each === undefined) throw new Error(`${input.job}: pushed without a buffer`);
        const push = new Push(each, input, resolve, reject);
        const cancel = withHead(each.buffer, (head) => {
          if (push.given) return;
          if (head.ref.first === input.batch.first && head.ref.last === input.batch.last) {
            push.head = head;
            open(push);
          } else {
            push.die(new Error(`${input.job}: the window's oldest batch is not the one to push`));
          }
        });
        signal.addEventListener("abort", () => {
          cancel();
          push.giveUp();
        });
      }),
  );
});

/** One attempt, from the machine's order to the answer. */
class Push {
  readonly each: Running;
  readonly input: PushInput;
  head: ClosedBatch | undefined;
  fiber: Fiber.Fiber<PushOutcome> | undefined;
  /** Answered or given up: nobody listens any more. */
  given = false;
  private readonly resolve: (answer: PushAnswer) => void;
  private readonly reject: (cause: unknown) => void;

  constructor(
    each: Running,
    input: PushInput,
    resolve: (answer: PushAnswer) => void,
    reject: (cause: unknown) => void,
  ) {
    this.each = each;
    this.input = input;
    this.resolve = resolve;
    this.reject = reject;
  }

  answer(answer: PushAnswer): void {
    this.given = true;
    this.resolve(answer);
  }

  /** A defect: the actor crashes, and its supervisor starts it again. */
  die(cause: unknown): void {
    this.given = true;
    this.reject(cause);
  }

  giveUp(): void {
    this.given = true;
    this.fiber?.interruptUnsafe();
  }
}

/** Encoded when there is a place, not before: a queue of batches must not be a queue of bodies. */
const requestOf = ({ each, head, input }: Push) => {
  const id = batchId(each.incarnation, input.job, input.batch);
  const hex = createHash("sha256").update(id).digest("hex").slice(0, 8);
  const { body, bodyBytes } = head!.parts.encode();
  return { batch: input.batch, batchId: id, hex, attempt: input.attempt, body, bodyBytes };
};

/** The oldest complete batch; after a restart it may still have to be read again. Answers how to stop waiting. */
const withHead = (buffer: Buffer, use: (head: ClosedBatch) => void): (() => void) => {
  const head = buffer.window.head();
  if (head === undefined) return buffer.awaitHead(use);
  use(head);
  return () => {};
};
