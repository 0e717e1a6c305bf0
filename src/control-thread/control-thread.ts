import { Clock, Deferred, Effect, Exit, FiberMap, Metric, Redacted, Result, Scope } from "effect";
import { tokenHashOf } from "../api/access.ts";
import { type ListenError, tokenRequired } from "../api/listen-error.ts";
import type { RoutedAnswer, RoutedRequest } from "../api/routed-request.ts";
import { controlThreadStarts } from "../observability/control-metrics.ts";
import type { ControlThreadData, ControlThreadLimits, HealthDetails, ToMain } from "./messages.ts";
import { beat, newPulse, pulseMillis } from "./pulse.ts";
import { newSwitchCounts, type SwitchCounts } from "./switch-counts.ts";
import { startThread, type Thread } from "./thread.ts";

export interface ControlThreadOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Nobody chose this port: when it is taken, a free one will do. */
  readonly orAnyPort: boolean;
  readonly token: Redacted.Redacted | undefined;
  readonly dataUrl: string;
  readonly limits: ControlThreadLimits;
  /** What `/healthz` tells beside the status, now. */
  readonly health?: () => HealthDetails;
  /** For `/healthz`; undefined: there are none to show. */
  readonly switches?: SwitchCounts;
  /** Answers on the main thread what the control thread cannot answer itself; up to `controlInFlightMax` at once. */
  readonly answer: (request: RoutedRequest) => Effect.Effect<RoutedAnswer>;
}

export interface ControlThread {
  /** The same for as long as the node lives. */
  readonly url: string;
  /** What `health` says has changed. */
  readonly healthChanged: () => void;
  /** Ends the present thread as a crash would, for drills; it is started again. */
  readonly kill: Effect.Effect<void>;
}

const backoffMillisMin = 100;
const backoffMillisMax = 10_000;
/** A thread that lived so long had a reason of its own to end. */
const livedMillis = 60_000;

/**
 * Serves the control address from a thread of its own until the scope ends: it answers when the main thread does not.
 * The thread is started again when it ends by itself, on the same port. When the process ends, it ends.
 */
export const startControlThread = Effect.fn("controlThread.start")(function* (
  options: ControlThreadOptions,
): Effect.fn.Return<ControlThread, ListenError, Scope.Scope> {
  const { host, limits, token } = options;
  const refused = tokenRequired(host, token !== undefined);
  if (refused !== undefined) return yield* refused;
  const pulse = newPulse();
  yield* Effect.sync(() => beat(pulse)).pipe(
    Effect.andThen(Effect.sleep(pulseMillis)),
    Effect.forever,
    Effect.forkScoped,
  );
  const switches = options.switches ?? newSwitchCounts([]);
  const tokenHash = token === undefined ? undefined : tokenHashOf(Redacted.value(token));
  const data = (port: number): ControlThreadData => {
    const { controlAnswerMillisMax, controlKeptBytesMax, controlInFlightMax, controlSilentMillisMax } = limits;
    const own = { controlAnswerMillisMax, controlKeptBytesMax, controlInFlightMax, controlSilentMillisMax };
    const health = options.health?.() ?? {};
    return { host, port, tokenHash, dataUrl: options.dataUrl, pulse, switches, limits: own, health };
  };
  // Closed after the fiber that starts threads again has ended.
  const lives = yield* Scope.fork(yield* Effect.scope);
  const start = (at: number) => Scope.provide(live(options, data(at)), lives);
  const first = yield* start(options.port).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "address-in-use" && options.orAnyPort,
      () =>
        Effect.logWarning("The port after the data address's is taken: the control address takes a free one.", {
          taken: options.port,
        }).pipe(Effect.andThen(start(0))),
    ),
  );
  const port = Number(new URL(first.thread.url).port);
  const state = { life: first };
  yield* keepAlive(state, start(port)).pipe(Effect.forkScoped);
  // One that is being started again has what was true a moment ago: it is told by the next change.
  const healthChanged = () => state.life.thread.post({ type: "health", more: options.health?.() ?? {} }, []);
  return { url: first.thread.url, healthChanged, kill: Effect.suspend(() => state.life.thread.kill) };
});

/** A thread and the requests that it has passed on; both end together. */
interface Life {
  readonly thread: Thread;
  readonly scope: Scope.Closeable;
  readonly startedMillis: number;
}

const live = Effect.fnUntraced(function* (
  options: ControlThreadOptions,
  data: ControlThreadData,
): Effect.fn.Return<Life, ListenError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope);
  const starting = Effect.gen(function* () {
    const running = yield* FiberMap.make<number>();
    const run = yield* FiberMap.runtime(running)();
    const line: { thread?: Thread } = {};
    const onRequest = (message: Extract<ToMain, { readonly type: "request" | "forget" }>) => {
      if (message.type === "forget") return void run(message.id, Effect.void);
      const { id, request } = message;
      const answered = options.answer(request).pipe(
        // Somebody waits for an answer, whatever happened.
        Effect.catchDefect((defect) =>
          Effect.as(Effect.logError("A request failed unexpectedly.", defect), internal()),
        ),
        // Given away, not copied: an answer may have megabytes.
        Effect.map((answer) => line.thread?.post({ type: "answer", id, answer }, [answer.body.buffer])),
      );
      run(id, answered);
    };
    line.thread = yield* startThread(data, onRequest);
    yield* Metric.update(controlThreadStarts, 1);
    return { thread: line.thread, scope, startedMillis: yield* Clock.currentTimeMillis };
  }).pipe(Scope.provide(scope));
  return yield* Effect.onExit(starting, (exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void));
});

const internal = (): RoutedAnswer => {
  const error = { code: "internal", message: "Something unexpected happened; the node's log has the details." };
  return {
    status: 500,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify({ error })),
  };
};

/** For ever: the delay between two starts is bounded, and so is what a life may hold. */
const keepAlive = Effect.fnUntraced(function* (state: { life: Life }, start: Effect.Effect<Life, ListenError>) {
  let delayMillis = backoffMillisMin;
  while (true) {
    const { scope, startedMillis, thread } = state.life;
    const why = yield* Deferred.await(thread.ended);
    yield* Scope.close(scope, Exit.void);
    if ((yield* Clock.currentTimeMillis) - startedMillis >= livedMillis) delayMillis = backoffMillisMin;
    let next: Result.Result<Life, ListenError> | undefined;
    while (next === undefined || Result.isFailure(next)) {
      const reason = next === undefined ? why : next.failure.message;
      yield* Effect.logError("The control thread ended; it is started again.", { reason, delayMillis });
      yield* Effect.sleep(delayMillis);
      delayMillis = Math.min(backoffMillisMax, delayMillis * 2);
      next = yield* Effect.result(start);
    }
    state.life = next.success;
  }
});
