import { Clock, Effect, Exit, type Fiber, Random, Scope } from "effect";
import { hash } from "node:crypto";
import { batchId } from "../../domain/batch.ts";
import type { Tally } from "../../domain/books.ts";
import { deferred, delivered, type PushOutcome } from "../../domain/push-outcome.ts";
import { Destinations, type OpenDestination, type PushRequest } from "../ports/destinations.ts";
import { KillSwitches } from "../ports/kill-switches.ts";
import { DestinationHosts } from "../destination-host/destination-hosts.ts";
import { switchedOff } from "../destination-host/switched-off.ts";
import type { PushTicket } from "../destination-host/ticket.ts";
import type { Buffer as JobBuffer } from "./buffer.ts";
import type { BufferEvent } from "./machine.ts";
import type { PushAnswer, PushInput } from "../../domain/push-attempt.ts";
import { lossMarkMember } from "./loss-mark.ts";
import { sliceRecords } from "./slice-records.ts";
import type { ClosedBatch } from "./window.ts";

/** A buffer that this node runs, and what its pushes need. */
export interface Running {
  readonly buffer: JobBuffer;
  readonly incarnation: string;
  /** The destination of the revision in effect, opened by the first push. */
  open:
    | { readonly revision: number; readonly destination: OpenDestination; readonly scope: Scope.Closeable }
    | undefined;
  /** The attempt that has no answer yet. */
  push: Push | undefined;
  /**
   * The host that it would push to but for a kill switch; undefined: none holds it. `unknown` until it has tried: it
   * may wait since an earlier process for one that held it there.
   */
  heldAt: { readonly host: string } | "unknown" | undefined;
  /** The dead letter that is being stored. */
  letter: Fiber.Fiber<void> | undefined;
  /** When its actor crashed, epoch millis, the last few. */
  crashes: ReadonlyArray<number>;
  /** What its actor was last sent: what it was doing when it crashed. */
  lastEvent: string;
}

export const closeDestination = (each: Running): Effect.Effect<void> => {
  const open = each.open;
  each.open = undefined;
  return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void);
};

/** Gives the attempt up: its request is interrupted, and what it still answers is nobody's. */
export const cancelPush = (each: Running): void => {
  const { push } = each;
  if (push === undefined) return;
  each.push = undefined;
  push.given = true;
  each.buffer.isAttemptBegun = false;
  push.stopWaiting();
  push.fiber?.interruptUnsafe();
};

/**
 * Fills the machine's hole `startPush`: find the batch, open the destination, wait for a place, push, and tell the
 * actor what came of it. Callbacks up to the destination's own effect, because ten thousand batches may close in the
 * same second: what stands in the queue holds neither a fiber nor an encoded body.
 */
export const makeStartPush = Effect.fnUntraced(function* (): Effect.fn.Return<
  (each: Running, input: PushInput) => void,
  never,
  Destinations | DestinationHosts
> {
  const destinations = yield* Destinations;
  const hosts = yield* DestinationHosts;
  const switches = yield* KillSwitches;
  const clock = yield* Clock.Clock;
  const random = yield* Random.Random;
  const runFork = Effect.runForkWith(yield* Effect.context());

  const refused = (push: Push, outcome: PushOutcome): void => {
    const jitter = random.nextDoubleUnsafe();
    push.answer({ outcome, nowMillis: clock.currentTimeMillisUnsafe(), jitter, durationMillis: 0, ...noBody });
  };

  const jitter = () => random.nextDoubleUnsafe();

  /** Whether a kill switch stops this push: then it was answered. */
  const isHeld = (push: Push, host: string): boolean => {
    const outcome = switchedOff(switches, push.each.buffer.effective.job, host, jitter);
    push.each.heldAt = outcome === undefined ? undefined : { host };
    if (outcome !== undefined) refused(push, outcome);
    return outcome !== undefined;
  };

  const begin = (push: Push, destination: OpenDestination, ticket: PushTicket): void => {
    if (push.given) return hosts.leave(ticket, undefined);
    // It may have been switched off while it waited for its place.
    if (isHeld(push, destination.host)) return hosts.leave(ticket, undefined);
    const { buffer } = push.each;
    if (!isHead(push, buffer.window.head())) {
      // Memory was short while it waited, and its batch was given up: it comes again when that has been read again.
      hosts.leave(ticket, undefined);
      push.stopWaiting = buffer.awaitHead((head) => use(push, head));
      return;
    }
    buffer.isAttemptBegun = true;
    const startedMillis = clock.currentTimeMillisUnsafe();
    try {
      const pushing = push.input.part === null ? destination.push(wholeOf(push)) : pushPart(push, destination);
      push.fiber = runFork(pushing);
    } catch (cause) {
      // Whoever left the place that this push got must not pay for its defect.
      push.die(cause);
      return hosts.leave(ticket, undefined);
    }
    push.fiber.addObserver((exit) => {
      // After the job has asked for its next push: else its place would go to whoever waits, whosever turn it is.
      queueMicrotask(() => hosts.leave(ticket, Exit.isSuccess(exit) ? exit.value : undefined));
      if (Exit.isFailure(exit)) return push.die(exit.cause);
      const nowMillis = clock.currentTimeMillisUnsafe();
      push.answer({
        outcome: exit.value,
        nowMillis,
        jitter: random.nextDoubleUnsafe(),
        durationMillis: nowMillis - startedMillis,
        bodyBytes: push.bodyBytes,
        written: push.written,
      });
    });
  };

  const attempt = (push: Push, destination: OpenDestination): void => {
    const { host } = destination;
    const { attempt: number, batch, job } = push.input;
    push.stopWaiting = nothingToStop;
    if (isHeld(push, host)) return;
    const ticket = hosts.enter({
      job,
      host,
      weight: push.each.buffer.effective.job.weight ?? 1,
      bytes: batch.bytes,
      attempt: number,
      begin: (place) => begin(push, destination, place),
      refuse: (reason, retryAfterMillis) => {
        const why = reason === "circuit-open" ? "has failed again and again" : "has asked for a pause";
        const detail = `not tried: ${host} ${why}; next in ${retryAfterMillis} ms`;
        refused(push, deferred(reason, detail, { retryAfterMillis, ambiguous: false }));
      },
    });
    if (push.stopWaiting === nothingToStop) push.stopWaiting = () => hosts.cancel(ticket);
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

  const use = (push: Push, head: ClosedBatch): void => {
    if (push.given) return;
    if (isHead(push, head)) open(push);
    else push.die(new Error(`${push.input.job}: the window's oldest batch is not the one to push`));
  };

  return (each, input) => {
    const push = new Push(each, input);
    each.push = push;
    // After a restart the batch may still have to be read again.
    const head = each.buffer.window.head();
    if (head === undefined) push.stopWaiting = each.buffer.awaitHead((found) => use(push, found));
    else use(push, head);
  };
});

const isHead = ({ input: { batch } }: Push, head: ClosedBatch | undefined): boolean =>
  head !== undefined && head.ref.first === batch.first && head.ref.last === batch.last;

/** One attempt, from the machine's order to the answer. */
class Push {
  readonly each: Running;
  readonly input: PushInput;
  /** The encoder's own count of what is in the request. */
  written: Tally = { records: 0, bytes: 0 };
  /** Of the request, compressed. */
  bodyBytes = 0;
  fiber: Fiber.Fiber<PushOutcome> | undefined;
  stopWaiting: () => void = nothingToStop;
  /** Answered or given up: nobody listens any more. */
  given = false;

  constructor(each: Running, input: PushInput) {
    this.each = each;
    this.input = input;
  }

  answer(answer: PushAnswer): void {
    this.tell({ type: "push.answered", attempt: this.input.attempt, answer });
  }

  /** A defect: the actor crashes, and its supervisor starts it again. */
  die(cause: unknown): void {
    this.tell({ type: "push.died", attempt: this.input.attempt, cause });
  }

  private tell(event: BufferEvent): void {
    if (this.given) return;
    this.given = true;
    this.each.push = undefined;
    this.each.buffer.isAttemptBegun = false;
    this.each.buffer.actor?.send(event);
  }
}

const nothingToStop = (): void => {};

/** Of a push that sent nothing. */
const noBody = { bodyBytes: 0, written: { records: 0, bytes: 0 } };

/** Encoded when there is a place, not before: a queue of batches must not be a queue of bodies. */
const wholeOf = (push: Push): PushRequest => {
  const { buffer } = push.each;
  const { body, bodyBytes, bytes, records } = buffer.window.head()!.parts.encode();
  push.written = { records, bytes };
  if (buffer.lossMark === undefined) return requestOf(push, body, bodyBytes);
  const mark = lossMarkMember(buffer.effective.job, buffer.lossMark);
  return requestOf(push, [mark, ...body], mark.length + bodyBytes);
};

/** Without the mark of a loss: it is no record of the batch, and must not be taken for the refused one. */
const pushPart = (push: Push, destination: OpenDestination): Effect.Effect<PushOutcome> => {
  const { from, to } = push.input.part!;
  const { body } = push.each.buffer.window.head()!.parts.encode();
  return Effect.flatMap(sliceRecords(body, from, to), (slice) => {
    push.written = slice;
    // Beyond the batch's last record, because a header counted more than there are: nothing is left to deliver.
    return slice.records === 0
      ? Effect.succeed(delivered())
      : destination.push(requestOf(push, [slice.body], slice.body.length));
  });
};

const requestOf = (push: Push, body: ReadonlyArray<Buffer>, bodyBytes: number): PushRequest => {
  const { attempt, batch, job, part } = push.input;
  const whole = batchId(push.each.incarnation, job, batch);
  const id = part === null ? whole : `${whole}.${part.from}-${part.to}`;
  push.bodyBytes = bodyBytes;
  return { batch, batchId: id, hex: hash("sha256", id, "hex").slice(0, 8), attempt, body, bodyBytes };
};
