import { Effect, Metric, Queue, Redacted, Schedule, Schema, type Scope } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import type { AlertNotification, AlertNotifier } from "../actors/ports/alert-notifier.ts";
import { alertNotifications } from "../observability/alert-metrics.ts";

export interface AlertWebhookOptions {
  readonly url: Redacted.Redacted;
  /** Notifications that wait; over it the oldest is dropped. */
  readonly alertQueueMax: number;
  /** For one attempt. */
  readonly alertWebhookMillisMax: number;
  readonly alertWebhookAttemptsMax: number;
}

/** The receiver did not take it; `definite`: it would not take it the next time either. Never with the URL in it. */
class WebhookError extends Schema.TaggedError<WebhookError>()("WebhookError", {
  detail: Schema.String,
  definite: Schema.Boolean,
}) {}

const pauseMillisFirst = 500;

/**
 * Posts alerts as JSON, one after the other, from a queue of its own: a receiver that hangs holds nobody up. Ends with
 * its scope, and what waits then is not told: it fires again after the start, under the same `dedupKey`.
 */
export const makeAlertWebhook = Effect.fnUntraced(function* (
  options: AlertWebhookOptions,
): Effect.fn.Return<AlertNotifier, never, Scope.Scope> {
  const waiting = yield* Effect.acquireRelease(Queue.sliding<AlertNotification>(options.alertQueueMax), Queue.shutdown);
  const client = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer));
  const deliver = Effect.fnUntraced(function* (notification: AlertNotification) {
    yield* post(client, notification, options).pipe(
      Effect.andThen(count("delivered")),
      Effect.catch(({ detail }) =>
        Effect.andThen(
          count("failed"),
          Effect.logError("The alert webhook did not take a notification; it is given up.", {
            dedupKey: notification.dedupKey,
            news: notification.news,
            detail,
          }),
        ),
      ),
    );
  });
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), deliver)));
  return {
    name: "webhook",
    notify: Effect.fnUntraced(function* (notification: AlertNotification) {
      if (Queue.sizeUnsafe(waiting) >= options.alertQueueMax) yield* count("dropped");
      yield* Queue.offer(waiting, notification);
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
