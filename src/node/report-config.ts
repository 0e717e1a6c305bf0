import { Clock, Effect, Metric, Queue } from "effect";
import { configNumber, configPending } from "../observability/config-metrics.ts";
import { type NodeSignals, sendNodeReport } from "../streams/config-messages.ts";
import { NodeConfiguration } from "./served-jobs.ts";

const reportMillis = 1_000;

/** Tells whoever leads what this node serves: once a second, and at once after each change. */
export const reportConfig = Effect.fnUntraced(function* (
  node: string,
  signals: (number: number, nowMillis: number) => NodeSignals | undefined,
) {
  const configuration = yield* NodeConfiguration;
  const { follower, serving, stored } = configuration;
  const changes = yield* Queue.sliding<void>(1);
  follower.onChange(() => void Queue.offerUnsafe(changes, undefined));
  const report = Effect.gen(function* () {
    const current = serving.current();
    const refused = follower.refused();
    const number = current?.manifest.number ?? 0;
    const nowMillis = Number((yield* Clock.monotonicTimeNanos) / 1_000_000n);
    yield* sendNodeReport({
      node,
      serves: current === undefined ? null : { number, hash: current.hash },
      refused: refused === undefined ? null : { number: refused.number, rule: refused.rule, message: refused.message },
      signals: signals(number, nowMillis) ?? null,
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
