import { Clock, Effect, Metric, Queue } from "effect";
import { configNumber, configPending } from "../observability/config-metrics.ts";
import { sendNodeReport } from "../streams/config-messages.ts";
import type { RolloutSignals } from "./rollout-signals.ts";
import { NodeConfiguration } from "./served-jobs.ts";

const reportMillis = 1_000;

/** Tells whoever leads what this node serves: once a second, and at once after each change. */
export const reportConfig = Effect.fnUntraced(function* (node: string, signals?: RolloutSignals) {
  const configuration = yield* NodeConfiguration;
  const { follower, serving, stored } = configuration;
  const changes = yield* Queue.sliding<void>(1);
  follower.onChange(() => void Queue.offerUnsafe(changes, undefined));
  follower.beforeServing(({ number, watch }, millis) => signals?.begin(number, watch?.segments, millis));
  const report = Effect.gen(function* () {
    const current = serving.current();
    const refused = follower.refused();
    const number = current?.manifest.number ?? 0;
    const nowMillis = Number((yield* Clock.monotonicTimeNanos) / 1_000_000n);
    signals?.tick(nowMillis);
    yield* sendNodeReport({
      node,
      serves: current === undefined ? null : { number, hash: current.hash },
      refused: refused === undefined ? null : { number: refused.number, rule: refused.rule, message: refused.message },
      signals: signals?.read(number, nowMillis) ?? null,
    });
    yield* Metric.update(configNumber, number);
    yield* Metric.update(configPending, stored.pending);
  });
  yield* report;
  yield* Effect.forkScoped(
    Effect.forever(
      Queue.take(changes).pipe(
        Effect.timeoutOption(reportMillis),
        Effect.andThen(report),
        Effect.catchCause((cause) => Effect.logError("This node could not tell what it serves.", cause)),
      ),
    ),
  );
});
