import { Effect, Metric, Queue } from "effect";
import { steadyMillis } from "../domain/steady-clock.ts";
import { segmentCount } from "../domain/segment-of.ts";
import { configNumber, configPending } from "../observability/config-metrics.ts";
import { sendNodeReport } from "../streams/config-messages.ts";
import type { RolloutSignals } from "./rollout-signals.ts";
import { NodeConfiguration } from "./served-jobs.ts";

const reportMillis = 1_000;
const inForcePollMillis = 5;
/** Between two reports of traffic: it is for estimates, and long. */
const trafficMillis = 5_000;

/** Tells whoever leads what this node serves: once a second, and at once after each change. */
export const reportConfig = Effect.fnUntraced(function* (node: string, signals?: RolloutSignals) {
  const configuration = yield* NodeConfiguration;
  const { follower, serving, stored } = configuration;
  const changes = yield* Queue.sliding<void>(1);
  follower.onChange(() => void Queue.offerUnsafe(changes, undefined));
  follower.beforeServing(({ canary, number, watch }, millis) => {
    // A node that was named has it for all of its customers.
    if (canary?.nodes.includes(node) === true) signals?.begin(canary.number, segmentCount, millis);
    else signals?.begin(number, watch?.segments, millis);
  });
  let trafficAtMillis = Number.NEGATIVE_INFINITY;
  const traffic = (nowMillis: number) => {
    if (signals === undefined || nowMillis - trafficAtMillis < trafficMillis) return {};
    trafficAtMillis = nowMillis;
    return { traffic: signals.traffic(nowMillis) };
  };
  let inForce = configuration.isInForce() ? serving.current() : undefined;
  const report = Effect.gen(function* () {
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
    });
    yield* Metric.update(configNumber, number);
    yield* Metric.update(configPending, stored.pending);
  });
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
