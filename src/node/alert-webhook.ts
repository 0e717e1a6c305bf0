import { Effect, FiberMap, Metric, Queue, Redacted, Schedule, Schema, type Scope } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import type { AlertNotification, AlertNotifier } from "../actors/ports/alert-notifier.ts";
import { steadyMillis } from "../domain/steady-clock.ts";
import { alertNotifications } from "../observability/alert-metrics.ts";

export interface AlertWebhookOptions {
  readonly url: Redacted.Redacted;
  /** Notifications that wait; over it the oldest is dropped. */
  readonly alertQueueMax: number;
  /** For one attempt. */
  readonly alertWebhookMillisMax: number;
  readonly alertWebhookAttemptsMax: number;
  /** Told again so long after it was given up, doubling. */
  readonly againMillisFirst?: number;
}

/** The receiver did not take it; `definite`: it would not take it the next time either. Never with the URL in it. */
class WebhookError extends Schema.TaggedError<WebhookError>()("WebhookError", {
  detail: Schema.String,
  definite: Schema.Boolean,
}) {}

const pauseMillisFirst = 500;
const againMillisFirst = 30_000;
const againMillisMax = 600_000;
/** After so long a firing alert has had a reminder, which is told instead; an end that nobody takes is let go. */
const untoldMillisMax = 14_400_000;

/** What waits for its turn, and how long it has been tried in vain. */
interface Waiting {
  readonly notification: AlertNotification;
  readonly isAgain: boolean;
  readonly againMillis: number;
  readonly sinceMillis: number;
}

/**
 * Posts alerts as JSON, one after the other, from a queue of its own: a receiver that hangs holds nobody up. What
 * it does not take is told again, ever more rarely, until there is newer word of the same alert. Ends with its
 * scope, and what waits then is not told: it fires again after the start, under the same `dedupKey`.
 */
export const makeAlertWebhook = Effect.fnUntraced(function* (
  options: AlertWebhookOptions,
): Effect.fn.Return<AlertNotifier, never, Scope.Scope> {
  const waiting = yield* Effect.acquireRelease(Queue.sliding<Waiting>(options.alertQueueMax), Queue.shutdown);
  /** One for each alert whose last word was not taken. */
  const untold = yield* FiberMap.make<string>();
  /** The newest word of each alert that waits: only that is told again, else an alert would fire after its end. */
  const newest = new Map<string, AlertNotification>();
  const isNewest = ({ notification }: Waiting) => newest.get(notification.dedupKey) === notification;
  const client = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer));
  const offer = Effect.fnUntraced(function* (word: Waiting) {
    if (Queue.sizeUnsafe(waiting) >= options.alertQueueMax) yield* count("dropped");
    yield* Queue.offer(waiting, word);
  });
  const tellAgain = Effect.fnUntraced(function* (word: Waiting) {
    const { dedupKey } = word.notification;
    const isOver = (yield* steadyMillis) - word.sinceMillis + word.againMillis > untoldMillisMax;
    if (isOver || !isNewest(word) || (yield* FiberMap.size(untold)) >= options.alertQueueMax) return false;
    const againMillis = Math.min(againMillisMax, word.againMillis * 2);
    const later = Effect.andThen(Effect.sleep(word.againMillis), offer({ ...word, againMillis, isAgain: true }));
    yield* FiberMap.run(untold, dedupKey, later);
    return true;
  });
  const giveUp = Effect.fnUntraced(function* (word: Waiting, { definite, detail }: WebhookError) {
    yield* count("failed");
    const isAgain = !definite && (yield* tellAgain(word));
    const { dedupKey, news } = word.notification;
    const seconds = Math.round(word.againMillis / 1_000);
    yield* Effect.logError(
      isAgain
        ? `The alert webhook did not take a notification; it is told again in ${seconds} s, unless there is newer word.`
        : "The alert webhook did not take a notification; it is given up.",
      { dedupKey, news, detail },
    );
  });
  const deliver = (word: Waiting) =>
    word.isAgain && !isNewest(word)
      ? Effect.void
      : post(client, word.notification, options).pipe(
          Effect.andThen(count("delivered")),
          Effect.tap(() => Effect.sync(() => void (isNewest(word) && newest.delete(word.notification.dedupKey)))),
          Effect.catch((error) => giveUp(word, error)),
        );
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), deliver)));
  return {
    name: "webhook",
    notify: Effect.fnUntraced(function* (notification: AlertNotification) {
      const { dedupKey } = notification;
      yield* FiberMap.remove(untold, dedupKey);
      newest.delete(dedupKey);
      newest.set(dedupKey, notification);
      // What was dropped or given up is among them.
      for (const [key] of newest) if (newest.size > options.alertQueueMax * 2) newest.delete(key);
      const againMillis = options.againMillisFirst ?? againMillisFirst;
      yield* offer({ notification, isAgain: false, againMillis, sinceMillis: yield* steadyMillis });
    }),
  };
});

const count = (result: "delivered" | "failed" | "dropped") => Metric.update(alertNotifications("webhook", result), 1);

const post = (client: HttpClient.HttpClient, notification: AlertNotification, options: AlertWebhookOptions) =>
  attempt(client, notification, options).pipe(
    Effect.retry({
      while: ({ definite }) => !definite,
      times: options.alertWebhookAttemptsMax - 1,
      schedule: Schedule.exponential(pauseMillisFirst).pipe(Schedule.jittered),
    }),
  );

const attempt = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  notification: AlertNotification,
  { alertWebhookMillisMax, url }: AlertWebhookOptions,
): Effect.fn.Return<void, WebhookError> {
  const request = HttpClientRequest.post(Redacted.value(url)).pipe(
    HttpClientRequest.bodyJsonUnsafe(webhookBody(notification)),
  );
  const { status } = yield* client.execute(request).pipe(
    // The body is of no interest, and reading it would be a way to hold us up.
    Effect.scoped,
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
    Effect.timeoutOrElse({
      duration: alertWebhookMillisMax,
      orElse: () => Effect.fail(new WebhookError({ detail: "no answer in time", definite: false })),
    }),
    // What the client says has the URL in it.
    Effect.catchTag("HttpClientError", () =>
      Effect.fail(new WebhookError({ detail: "no connection", definite: false })),
    ),
    // No span of ours carries the URL out of the node.
    Effect.withTracerEnabled(false),
  );
  if (status >= 200 && status < 300) return;
  const definite = status < 500 && status !== 408 && status !== 429;
  return yield* new WebhookError({ detail: `answered ${status}`, definite });
});

/** What is posted: documented in docs/OPERATING.md, and only ever added to. */
export const webhookBody = (notification: AlertNotification) => {
  const { dedupKey, labels, news, node, nowMillis, rule, sinceMillis, value } = notification;
  return {
    version: 1,
    dedupKey,
    news,
    state: news === "resolved" ? "resolved" : "firing",
    rule: rule.id,
    severity: rule.severity,
    summary: rule.summary,
    description: rule.description,
    runbook: rule.runbook,
    labels,
    value,
    threshold: rule.threshold,
    sinceMillis,
    nowMillis,
    node,
  };
};
