import { Cause, Effect, Exit, Metric, Queue } from "effect";
import { steadyMillis } from "../domain/steady-clock.ts";
import { segmentCount } from "../domain/segment-of.ts";
import { configNumber, configPending } from "../observability/config-metrics.ts";
import { flushNodeReports, sendNodeReport } from "../streams/config-messages.ts";
import type { RolloutSignals } from "./rollout-signals.ts";
import { NodeConfiguration } from "./served-jobs.ts";

const reportMillis = 1_000;
const inForcePollMillis = 5;
/** Between two reports of traffic: it is for estimates, and long. */
const trafficMillis = 5_000;

/**
 * Tells whoever leads what this node serves: once a second, and at once after each change. And when it ends because
 * somebody has told it to: a rollout takes silence for a bad sign.
 */
export const reportConfig = Effect.fnUntraced(function* (
  node: string,
  signals?: RolloutSignals,
  roles?: ReadonlyArray<string>,
) {
  const configuration = yield* NodeConfiguration;
  const { follower, serving, stored } = configuration;
  const changes = yield* Queue.sliding<void>(1);
  follower.onChange(() => void Queue.offerUnsafe(changes, undefined));
  follower.beforeServing(({ canary, number, watch }, millis) => {
    // A node that was named has it for all of its customers.
    if (canary?.nodes.includes(node) === true) signals?.begin(canary.number, segmentCount, millis);
    else signals?.begin(number, watch?.segments, millis);
  });
  configuration.onTouched((job) => signals?.touch(job));
  let trafficAtMillis = Number.NEGATIVE_INFINITY;
  const traffic = (nowMillis: number) => {
    if (signals === undefined || nowMillis - trafficAtMillis < trafficMillis) return {};
    trafficAtMillis = nowMillis;
    return { traffic: signals.traffic(nowMillis) };
  };
  let inForce = configuration.isInForce() ? serving.current() : undefined;
  const tell = Effect.fnUntraced(function* (leaving: boolean) {
    const adopted = serving.current();
    // Adopted is not in force yet: owners come first, and forwarders last.
    if (configuration.isInForce()) inForce = adopted;
    const current = configuration.isBlank() ? undefined : inForce;
    const refused = follower.refused();
    const number = current?.manifest.number ?? 0;
    const nowMillis = yield* steadyMillis;
    signals?.tick(nowMillis);
    yield* sendNodeReport({
      node,
      serves: current === undefined ? null : { number, hash: current.hash },
      refused: refused === undefined ? null : { number: refused.number, rule: refused.rule, message: refused.message },
      signals: signals?.read(number, nowMillis) ?? null,
      ...traffic(nowMillis),
      ...(roles === undefined ? {} : { roles }),
      ...(leaving ? { leaving } : {}),
    });
    yield* Metric.update(configNumber, number);
    yield* Metric.update(configPending, stored.pending);
  });
  const report = tell(false);
  // Runs after the reports have ended: nothing is said after the last word.
  yield* Effect.addFinalizer((exit) => (isOrderly(exit) ? Effect.andThen(tell(true), flushNodeReports) : Effect.void));
  const awaitInForce = Effect.sync(configuration.isInForce).pipe(
    Effect.tap((isSo) => (isSo ? Effect.void : Effect.sleep(inForcePollMillis))),
    Effect.repeat({ until: (isSo) => isSo }),
    Effect.timeoutOption(reportMillis),
  );
  yield* report;
  yield* Effect.forkScoped(
    Effect.forever(
      Queue.take(changes).pipe(
        Effect.timeoutOption(reportMillis),
        Effect.andThen(awaitInForce),
        Effect.andThen(report),
        Effect.catchCause((cause) => Effect.logError("This node could not tell what it serves.", cause)),
      ),
    ),
  );
});

const isOrderly = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause);
