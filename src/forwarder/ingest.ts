import { Cause, Clock, Effect, Exit, FiberSet, Result, type Scope } from "effect";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Backlogs } from "../actors/ports/backlogs.ts";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import { Jobs, type JobSet } from "../actors/ports/jobs.ts";
import { KillSwitches } from "../actors/ports/kill-switches.ts";
import { NodeAdmission } from "../actors/ports/node-admission.ts";
import { type AckTimeout, type NotServed, Outbox, type OutboxFull } from "../actors/ports/outbox.ts";
import type { Dataset } from "../domain/dataset.ts";
import type { Limits } from "../domain/limits.ts";
import { IngestMetrics } from "../observability/ingest-metrics.ts";
import { Admission, type Place } from "./admission.ts";
import {
  allHeldBack,
  cutShort,
  internalError,
  notServing,
  receiptOf,
  refusalOfOutbox,
  retryAfterOf,
  sendAnswer,
  sendContinue,
} from "./answer.ts";
import { releaseBody } from "./body-memory.ts";
import { Door, type DoorBook } from "./door.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { FailsOpen } from "./fails-open.ts";
import { inflate } from "./inflate.ts";
import { type IngestRequest, readHeaders } from "./ingest-request.ts";
import { onlyServed } from "./only-served.ts";
import { PairIndexes, type PairLookup } from "./pair-index.ts";
import { readBody } from "./read-body.ts";
import { nodeBusy, RequestRefused } from "./request-refused.ts";
import type { RefusalPeriods } from "./refusal-periods.ts";
import { sortBody, type Sorted } from "./sort.ts";

export interface IngestOptions {
  readonly limits: Limits;
  readonly datasets: { readonly get: (name: string) => Dataset | undefined };
  /** Why no set of push jobs is known, when none is. */
  readonly whyNotServing?: () => string;
  /** Told whose records were held back. */
  readonly refusals?: RefusalPeriods;
}

export interface Ingest {
  /**
   * Takes a `POST /v1/ingest/{dataset}` over, answer included; who asks was checked before. Never throws. Mounted on
   * `checkContinue` it decides itself whether the producer may send its body.
   */
  readonly handle: (request: IncomingMessage, response: ServerResponse, dataset: string) => void;
  readonly inFlightBytes: () => number;
  /** The door's own book since this node started. */
  readonly door: () => ReadonlyArray<DoorBook>;
  /** Admits nothing more; completes when everything admitted is answered, or after `drainMillisMax`. */
  readonly close: Effect.Effect<void>;
}

/** The forwarder's door: reads a body, drops what no push job wants, and answers when the rest is durable. */
export const makeIngest = Effect.fn("forwarder.makeIngest")(function* (
  options: IngestOptions,
): Effect.fn.Return<Ingest, never, Outbox | Jobs | Backlogs | NodeAdmission | Scope.Scope> {
  const outbox = yield* Outbox;
  const jobs = yield* Jobs;
  const clock = yield* Clock.Clock;
  const now = () => clock.currentTimeMillisUnsafe();
  const metrics = new IngestMetrics(yield* Effect.context());
  const run = yield* FiberSet.makeRuntime();
  const admission = new Admission(options.limits, yield* EventLoopDelay.make(now));
  // Fibers of later requests would end before they began.
  yield* Effect.addFinalizer(() => Effect.sync(() => admission.close(() => {})));
  const door = new Door();
  const node = yield* NodeAdmission;
  const indexes = new PairIndexes(node.see);
  const drill = yield* DrillFaults;
  const isGuarded = () => drill.isGuardOn("admission");
  const backlogs = yield* Backlogs;
  const failsOpen = new FailsOpen(backlogs.partitions);
  const isOpen = () => drill.isArmed("forwarder.failsOpen");
  const keeper = new Doorkeeper(backlogs, node, options.limits, now, yield* KillSwitches, isGuarded);
  const lookups: Lookups = {
    of: (set, dataset) => {
      const index = indexes.of(set, dataset);
      return isOpen() ? failsOpen.over(index, dataset) : index;
    },
  };
  const parts: Parts = { ...options, outbox, jobs, lookups, keeper, run, now, admission, door, metrics };
  const close = Effect.callback<void>((resume) => admission.close(() => resume(Effect.void))).pipe(
    // What is not acknowledged then was not promised to anybody.
    Effect.timeoutOption(options.limits.drainMillisMax),
    Effect.asVoid,
  );
  return {
    handle: (request, response, dataset) => new Exchange(parts, request, response, dataset).start(),
    inFlightBytes: () => admission.bytesInFlight(),
    door: () => door.books(),
    close,
  };
});

/** Asked once per body. */
interface Lookups {
  readonly of: (set: JobSet, dataset: string) => PairLookup;
}

interface Parts extends IngestOptions {
  readonly outbox: Outbox["Service"];
  readonly jobs: Jobs["Service"];
  readonly lookups: Lookups;
  readonly keeper: Doorkeeper;
  readonly run: (effect: Effect.Effect<void>) => unknown;
  readonly now: () => number;
  readonly admission: Admission;
  readonly door: Door;
  readonly metrics: IngestMetrics;
}

type OutboxFailure = OutboxFull | AckTimeout | NotServed;

const isNotServed = (exit: Exit.Exit<void, OutboxFailure>): boolean => {
  if (Exit.isSuccess(exit)) return false;
  const failure = Cause.findError(exit.cause);
  return Result.isSuccess(failure) && failure.success._tag === "NotServed";
};

/** One request, from its headers to its answer. */
class Exchange {
  private readonly parts: Parts;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly dataset: string;
  private readonly known: Dataset | undefined;
  private readonly startedMillis: number;
  private place: Place | undefined;
  private answered = false;

  constructor(parts: Parts, request: IncomingMessage, response: ServerResponse, dataset: string) {
    this.parts = parts;
    this.request = request;
    this.response = response;
    this.dataset = dataset;
    this.known = parts.datasets.get(dataset);
    this.startedMillis = parts.now();
  }

  start(): void {
    this.guarded(() => {
      // A producer that is gone is noticed where the body is read; its socket's error must not end the process.
      this.response.on("error", () => {});
      const { admission, jobs, limits, whyNotServing } = this.parts;
      const asked = readHeaders(this.request, this.dataset, this.known, limits.requestBodyBytesMax);
      if (asked instanceof RequestRefused) return this.refuse(asked);
      if (jobs.served().number === 0) return this.refuse(notServing(whyNotServing?.()));
      const place = admission.enter(asked.announcedBytes);
      if (place instanceof RequestRefused) return this.refuse(place);
      this.place = place;
      sendContinue(this.request, this.response);
      readBody(this.request, limits.requestBodyBytesMax, limits, place, (raw) =>
        this.guarded(() => (raw instanceof RequestRefused ? this.refuse(raw) : this.unpack(asked, raw, place))),
      );
    });
  }

  private unpack(asked: IngestRequest, raw: Buffer, place: Place): void {
    if (asked.encoding === "identity") return this.sort(asked, raw);
    inflate(raw, asked.encoding, { bytesMax: this.parts.limits.requestInflatedBytesMax, place }, (body) =>
      this.guarded(() => {
        if (body instanceof RequestRefused) return this.refuse(body);
        // Read to its end. A decoder that was stopped may still be reading in its thread: then it is left to the
        // collector.
        releaseBody(raw);
        if (!place.hold(body.length)) return this.refuse(nodeBusy("Too many bytes are in flight on this node.", 1));
        this.sort(asked, body);
      }),
    );
  }

  private sort(asked: IngestRequest, body: Buffer): void {
    const { jobs, keeper, limits, lookups } = this.parts;
    const pairs = lookups.of(jobs.served(), asked.dataset);
    const later = (step: () => void) => void setImmediate(() => this.guarded(step));
    const done = (sorted: Sorted) =>
      sorted.spans.pairs.length === 0 ? this.receive(body, sorted) : this.store(asked, body, sorted);
    sortBody(asked, body, pairs, limits, this.known?.validate === true, later, done, keeper.verdicts());
  }

  private store(asked: IngestRequest, body: Buffer, sorted: Sorted, isAgain = false): void {
    const { keeper, outbox, run } = this.parts;
    const settled = keeper.letIn(sorted.spans);
    run(
      outbox.write(sorted.spans, asked.idempotencyKey).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            settled();
            this.guarded(() => {
              if (isAgain || !isNotServed(exit)) return this.settle(body, sorted, exit);
              this.storeServed(asked, body, sorted);
            });
          }),
        ),
        Effect.catchCause((cause) =>
          Cause.hasDies(cause) ? Effect.logError("An ingest request died.", cause) : Effect.void,
        ),
      ),
    );
  }

  /** The outbox has found some that nobody wants: they must not keep the others of the same body out of the log. */
  private storeServed(asked: IngestRequest, body: Buffer, sorted: Sorted): void {
    const { jobs, metrics } = this.parts;
    const served = onlyServed(sorted, jobs.served());
    metrics.notServed(sorted.accepted - served.accepted);
    if (served.spans.pairs.length === 0) this.receive(body, served);
    else this.store(asked, body, served, true);
  }

  private settle(body: Buffer, sorted: Sorted, exit: Exit.Exit<void, OutboxFailure>): void {
    if (Exit.isSuccess(exit)) return this.receive(body, sorted);
    const failure = Cause.findError(exit.cause);
    // Whatever happened, the producer must not be left without an answer.
    if (Result.isSuccess(failure)) this.refuse(refusalOfOutbox(failure.success));
    else this.refuse(Cause.hasInterruptsOnly(exit.cause) ? cutShort : internalError);
  }

  /** What was accepted, if anything, is durable: neither the outbox nor anybody else looks at the body again. */
  private receive(body: Buffer, sorted: Sorted): void {
    const { door, metrics } = this.parts;
    const { refusals } = sorted;
    door.record(this.dataset, this.known !== undefined, sorted);
    if (refusals.heldBack > 0) this.parts.refusals?.add(sorted.heldBack?.pairs() ?? [], this.parts.now());
    metrics.body(this.known === undefined ? "other" : this.dataset, {
      accepted: sorted.accepted,
      unconfigured: sorted.unconfigured,
      refused: refusals.count,
      refusedByReason: refusals.byReason,
      bytes: body.length,
    });
    const refused = allHeldBack(sorted);
    if (refused === undefined) this.finish(200, receiptOf(sorted), retryAfterOf(sorted));
    else this.refuse(refused);
    releaseBody(body);
  }

  private refuse({ code, message, retryAfterSeconds, status }: RequestRefused): void {
    this.finish(status, { error: { code, message } }, retryAfterSeconds);
  }

  private finish(status: number, body: unknown, retryAfterSeconds?: number): void {
    if (this.answered) return;
    this.answered = true;
    this.place?.leave();
    this.parts.metrics.request(status, this.parts.now() - this.startedMillis);
    sendAnswer(this.request, this.response, status, body, retryAfterSeconds);
  }

  /** A bug in what handles one request must not end the process, nor leave the producer without an answer. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.parts.run(Effect.logError("An ingest request died.", error));
      this.refuse(internalError);
    }
  }
}
