import { assert, describe, it } from "@effect/vitest";
import { Effect, Metric, Redacted } from "effect";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AlertNotification } from "../../src/actors/ports/alert-notifier.ts";
import { type AlertWebhookOptions, makeAlertWebhook } from "../../src/node/alert-webhook.ts";
import { alertNotifications } from "../../src/observability/alert-metrics.ts";
import { aRule } from "../actors/alert/alert-rules.ts";

/** A receiver that answers as it is told to. */
const receiver = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string;
    readonly bodies: Array<any>;
    answer: (response: ServerResponse, request: IncomingMessage) => void;
  }>((resume) => {
    const bodies: Array<any> = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        bodies.push(JSON.parse(text));
        world.answer(response, request);
      });
    });
    const world = {
      url: "",
      bodies,
      server,
      answer: (response: ServerResponse, _request: IncomingMessage) => void response.writeHead(204).end(),
    };
    server.listen(0, "127.0.0.1", () => {
      world.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook-secret`;
      resume(Effect.succeed(world));
    });
  }),
  (world) =>
    Effect.sync(() => {
      const { server } = world as unknown as { readonly server: ReturnType<typeof createServer> };
      server.closeAllConnections();
      server.close();
    }),
);

const limits = { alertQueueMax: 100, alertWebhookMillisMax: 300, alertWebhookAttemptsMax: 3 };
const webhook = (url: string, over: Partial<AlertWebhookOptions> = {}) =>
  makeAlertWebhook({ ...limits, url: Redacted.make(url), ...over });

const notification = (job: string): AlertNotification => ({
  dedupKey: `spillway/jobSuspended/job="${job}"`,
  news: "firing",
  rule: aRule(),
  labels: { job },
  value: 1,
  sinceMillis: 1_000,
  nowMillis: 2_000,
  node: "node-a",
});

const until = (what: string, holds: () => boolean | Effect.Effect<boolean>) =>
  Effect.suspend(() => {
    const answer = holds();
    return typeof answer === "boolean" ? Effect.succeed(answer) : answer;
  }).pipe(
    Effect.tap((done) => (done ? Effect.void : Effect.sleep(10))),
    Effect.repeat({ until: (done) => done }),
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error(`never: ${what}`)) }),
  );

const counted = (result: "delivered" | "failed" | "dropped") =>
  Effect.map(Metric.value(alertNotifications("webhook", result)), ({ count }) => count);

const jobs = (bodies: ReadonlyArray<any>) => bodies.map((body) => body.labels.job as string);

describe("the webhook", () => {
  it.live("posts an alert as JSON", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const { notify } = yield* webhook(world.url);
      yield* notify(notification("a"));
      yield* until("posted", () => world.bodies.length === 1);
      assert.deepInclude(world.bodies[0], {
        version: 1,
        dedupKey: 'spillway/jobSuspended/job="a"',
        news: "firing",
        state: "firing",
        rule: "jobSuspended",
        severity: "warning",
        value: 1,
        sinceMillis: 1_000,
        node: "node-a",
      });
    }),
  );

  it.live("tries again when the receiver fails, in order, and not when it refuses", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const { notify } = yield* webhook(world.url);
      const failed = yield* counted("failed");
      const statuses = [500, 429, 204, 400, 302, 204];
      world.answer = (response) => void response.writeHead(statuses.shift()!, { location: world.url }).end();
      for (const job of ["a", "b", "c", "d"]) yield* notify(notification(job));
      yield* until("all posted", () => world.bodies.length === 6);
      assert.deepStrictEqual(jobs(world.bodies), ["a", "a", "a", "b", "c", "d"]);
      yield* until("counted", () => Effect.map(counted("failed"), (count) => count === failed + 2));
    }),
  );

  it.live("gives a notification up after so many attempts, and goes on with the next when the receiver is back", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const { notify } = yield* webhook(world.url, { alertWebhookAttemptsMax: 2 });
      world.answer = (response) => void response.writeHead(503).end();
      yield* notify(notification("a"));
      yield* until("tried twice", () => world.bodies.length === 2);
      world.answer = (response) => void response.writeHead(200).end();
      yield* notify(notification("b"));
      yield* until("posted", () => world.bodies.length === 3);
      assert.deepStrictEqual(jobs(world.bodies), ["a", "a", "b"]);
    }),
  );

  it.live("tells what was given up again, ever later, until it is taken or there is newer word of the same alert", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const brisk = { alertWebhookAttemptsMax: 1, againMillisFirst: 50 };
      const { notify } = yield* webhook(world.url, brisk);
      world.answer = (response) => void response.writeHead(503).end();
      for (const job of ["a", "b"]) yield* notify(notification(job));
      yield* until("told again, and again", () => jobs(world.bodies).filter((job) => job === "a").length >= 3);
      // It is over before anybody was told: the end is told, and the beginning no more.
      yield* notify({ ...notification("b"), news: "resolved" });
      const before = world.bodies.length;
      world.answer = (response) => void response.writeHead(200).end();
      // The beginning of `b` may be on its way at this moment, and comes before its end.
      const told = () => world.bodies.slice(before).map((body) => `${body.labels.job} ${body.news}`);
      yield* until("both are told", () => told().includes("a firing") && told().includes("b resolved"));
      const words = told();
      assert.notInclude(words.slice(words.indexOf("b resolved")), "b firing");
      const total = world.bodies.length;
      yield* Effect.sleep(400);
      assert.strictEqual(world.bodies.length, total, "what is told is told once");
    }),
  );

  it.live("does not tell again what was under way when newer word came, and then failed", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const brisk = { alertWebhookAttemptsMax: 1, againMillisFirst: 20 };
      const { notify } = yield* webhook(world.url, brisk);
      const held: Array<ServerResponse> = [];
      world.answer = (response) => void held.push(response);
      yield* notify(notification("a"));
      yield* until("it is under way", () => held.length === 1);
      yield* notify({ ...notification("a"), news: "resolved" });
      world.answer = (response) => void response.writeHead(204).end();
      held[0]!.writeHead(503).end();
      yield* until("its end is told", () => world.bodies.length === 2);
      yield* Effect.sleep(200);
      assert.deepStrictEqual(
        world.bodies.map(({ news }) => news),
        ["firing", "resolved"],
      );
    }),
  );

  it.live("does not tell again what the receiver refuses for good", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const { notify } = yield* webhook(world.url, { againMillisFirst: 10 });
      world.answer = (response) => void response.writeHead(400).end();
      yield* notify(notification("a"));
      yield* until("refused", () => world.bodies.length === 1);
      yield* Effect.sleep(100);
      assert.lengthOf(world.bodies, 1);
    }),
  );

  it.live("keeps nobody waiting while the receiver hangs, drops the oldest over its bound, and recovers", () =>
    Effect.gen(function* () {
      const world = yield* receiver;
      const { notify } = yield* webhook(world.url, { alertQueueMax: 2, alertWebhookAttemptsMax: 1 });
      const dropped = yield* counted("dropped");
      world.answer = () => {};
      yield* notify(notification("hangs"));
      yield* until("it hangs", () => world.bodies.length === 1);
      for (const job of ["a", "b", "c", "d"]) {
        yield* notify(notification(job)).pipe(
          Effect.timeoutOrElse({ duration: "200 millis", orElse: () => Effect.die(new Error("it blocks")) }),
        );
      }
      assert.strictEqual((yield* counted("dropped")) - dropped, 2);
      world.answer = (response) => void response.writeHead(200).end();
      yield* until("it goes on", () => world.bodies.length === 3);
      assert.deepStrictEqual(jobs(world.bodies), ["hangs", "c", "d"]);
    }),
  );

  it.live("survives a receiver that is not there, and one whose answer never ends", () =>
    Effect.gen(function* () {
      const failed = yield* counted("failed");
      const absent = yield* webhook("http://127.0.0.1:1/hook", { alertWebhookAttemptsMax: 1 });
      yield* absent.notify(notification("a"));
      yield* until("given up", () => Effect.map(counted("failed"), (count) => count === failed + 1));
      const world = yield* receiver;
      world.answer = (response) => void response.writeHead(200).write("and so on");
      const { notify } = yield* webhook(world.url, { alertWebhookAttemptsMax: 1 });
      for (const job of ["a", "b"]) yield* notify(notification(job));
      yield* until("both", () => world.bodies.length === 2);
    }),
  );
});
