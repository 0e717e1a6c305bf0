import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Fiber } from "effect";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { PushRequest } from "../../src/actors/ports/destinations.ts";
import { conformanceRequest } from "../../src/destinations/conformance.ts";
import type { HttpDestination } from "../../src/domain/destination.ts";
import { openDestination } from "./open-destination.ts";
import { answerWith, type ScriptedRequest, startScriptedServer } from "./scripted-server.ts";

const request = conformanceRequest({ first: 1, records: 10 });

const serve = (script: Parameters<typeof startScriptedServer>[0]) =>
  Effect.acquireRelease(
    Effect.promise(() => startScriptedServer(script)),
    ({ close }) => Effect.promise(close),
  );

/** One push against a script, with the milliseconds it took. */
const pushTo = Effect.fnUntraced(function* (
  onRequest: (request: ScriptedRequest) => void,
  options: { readonly deadline?: number; readonly settings?: Partial<HttpDestination> } = {},
) {
  const server = yield* serve({ onRequest });
  const destination = yield* openDestination(
    { kind: "http", url: `${server.url}/in?token=s3cret`, ...options.settings },
    { pushMillisMax: options.deadline ?? 5_000 },
  );
  const start = yield* Clock.currentTimeMillis;
  const outcome = yield* destination.push(request);
  return { outcome, millis: (yield* Clock.currentTimeMillis) - start, server, destination };
});

/** Far more than the socket's buffers hold. */
const large: PushRequest = (() => {
  const body = [Buffer.alloc(20_000_000, "x"), Buffer.alloc(10_000_000, "y")];
  return { ...request, body, bodyBytes: 30_000_000 };
})();

/** Pushes to a server with a watchdog that is far shorter than the deadline. */
const stallingAfter = Effect.fnUntraced(function* (stallMillis: number, url: string) {
  const options = { pushMillisMax: 30_000, pushStallMillisMax: stallMillis };
  const destination = yield* openDestination({ kind: "http", url }, options);
  return Effect.fnUntraced(function* (pushed: PushRequest) {
    const start = yield* Clock.currentTimeMillis;
    const outcome = yield* destination.push(pushed);
    return { outcome, millis: (yield* Clock.currentTimeMillis) - start };
  });
});

describe("an http push", () => {
  it.live("is a POST with our headers, the customer's, and the batch's bytes", () =>
    Effect.gen(function* () {
      const { server, outcome, destination } = yield* pushTo(({ socket }) => socket.write(answerWith(202)), {
        settings: { headers: { "X-Api-Key": "k3y" } },
      });
      assert.deepStrictEqual(outcome, { _tag: "Delivered", status: 202, alreadyThere: false });
      const [received] = server.requests;
      assert.strictEqual(received?.head, "POST /in?token=s3cret HTTP/1.1");
      assert.deepInclude(received?.headers, {
        host: `127.0.0.1:${server.port}`,
        "content-type": "application/x-ndjson",
        "content-encoding": "gzip",
        "content-length": String(request.bodyBytes),
        "idempotency-key": request.batchId,
        "spillway-batch": request.batchId,
        "spillway-attempt": "1",
        "spillway-records": "10",
        "x-api-key": "k3y",
      });
      assert.isTrue(received?.body.equals(Buffer.concat(request.body)));
      assert.strictEqual(destination.locate(request), `${server.url}/in`);
      assert.strictEqual(destination.host, `127.0.0.1:${server.port}`);
    }),
  );

  it.live("says of a replay that it is one, and of nothing else", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onRequest: ({ socket }) => socket.write(answerWith(200)) });
      const destination = yield* openDestination({ kind: "http", url: `${server.url}/in` });
      yield* destination.push(request);
      yield* destination.push({ ...request, replay: true });
      const marks = server.requests.map(({ headers }) => headers["spillway-replay"]);
      assert.deepStrictEqual(marks, [undefined, "true"]);
    }),
  );

  it.live("turns userinfo into basic authorization and never repeats it", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onRequest: ({ socket }) => socket.write(answerWith(500)) });
      const url = `http://us%40er:pa%20ss@127.0.0.1:${server.port}/in`;
      const destination = yield* openDestination({ kind: "http", url });
      const outcome = yield* destination.push(request);
      assert.strictEqual(
        server.requests[0]?.headers["authorization"],
        `Basic ${Buffer.from("us@er:pa ss").toString("base64")}`,
      );
      assert.notMatch(JSON.stringify([outcome, destination.locate(request)]), /us@er|us%40er|pa ss|pa%20ss/);
    }),
  );

  it.live("reuses its connections", () =>
    Effect.gen(function* () {
      const connected: Array<unknown> = [];
      const server = yield* serve({
        onConnect: (socket) => connected.push(socket),
        onRequest: ({ socket }) => socket.write(answerWith(200, {}, "ok")),
      });
      const destination = yield* openDestination({ kind: "http", url: server.url });
      for (let attempt = 1; attempt <= 20; attempt++) yield* destination.push({ ...request, attempt });
      assert.strictEqual(server.requests.length, 20);
      // Two: the next push starts while undici is still putting the first connection back.
      assert.isAtMost(connected.length, 2);
      assert.strictEqual(server.requests[19]?.headers["spillway-attempt"], "20");
    }),
  );
});

describe("the outcome of an http push", () => {
  it.live("to a server that answers 500 is Deferred, ambiguous, at once", () =>
    Effect.gen(function* () {
      const { outcome, millis } = yield* pushTo(({ socket }) =>
        socket.write(answerWith(500, {}, "secret\nstack trace")),
      );
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "server-error", status: 500, ambiguous: true });
      assert.match(JSON.stringify(outcome), /answered 500 Internal Server Error/);
      assert.notMatch(JSON.stringify(outcome), /secret|stack|Whatever|s3cret/);
      assert.isBelow(millis, 1_000);
    }),
  );

  it.live("to a server that answers 429 with Retry-After keeps the wait, in seconds or as a date", () =>
    Effect.gen(function* () {
      const seconds = yield* pushTo(({ socket }) => socket.write(answerWith(429, { "Retry-After": "7" })));
      assert.deepInclude(seconds.outcome, {
        _tag: "Deferred",
        reason: "throttled",
        retryAfterMillis: 7_000,
        ambiguous: false,
      });
      const at = new Date(Math.ceil((yield* Clock.currentTimeMillis) / 1_000) * 1_000 + 60_000).toUTCString();
      const date = yield* pushTo(({ socket }) => socket.write(answerWith(503, { "retry-after": at })));
      assert.strictEqual(date.outcome._tag, "Deferred");
      if (date.outcome._tag !== "Deferred") return;
      assert.isTrue(
        Math.abs((date.outcome.retryAfterMillis ?? 0) - 60_000) <= 2_000,
        String(date.outcome.retryAfterMillis),
      );
    }),
  );

  it.live("to a server that hangs is Deferred as an ambiguous timeout at the deadline", () =>
    Effect.gen(function* () {
      const { outcome, millis, server } = yield* pushTo(() => {}, { deadline: 300 });
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", status: undefined, ambiguous: true });
      assert.isTrue(millis >= 280 && millis < 1_500, `${millis} ms`);
      assert.strictEqual(server.requests.length, 1);
    }),
  );

  it.live("obeys the job's own timeout when it is shorter", () =>
    Effect.gen(function* () {
      const { outcome, millis } = yield* pushTo(() => {}, { deadline: 60_000, settings: { timeoutSeconds: 1 } });
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout" });
      assert.isTrue(millis >= 980 && millis < 1_900, `${millis} ms`);
    }),
  );

  it.live("to a server that hangs is an ambiguous timeout long before the deadline, when nothing moves", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onRequest: () => {} });
      const outcomeOf = yield* stallingAfter(300, server.url);
      const { millis, outcome } = yield* outcomeOf(request);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", status: undefined, ambiguous: true });
      assert.isTrue(millis >= 280 && millis < 2_500, `${millis} ms`);
    }),
  );

  it.live("to a server that drips its answer, one byte after the other, has stalled: a drip is no progress", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        onRequest: (received) => drip(received, `HTTP/1.1 200 OK\r\nX: ${"x".repeat(9_999)}`),
      });
      const outcomeOf = yield* stallingAfter(300, server.url);
      const { millis, outcome } = yield* outcomeOf(request);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", ambiguous: true });
      assert.isTrue(millis >= 280 && millis < 2_500, `${millis} ms`);
      yield* closed(server.sockets);
    }),
  );

  it.live("to a server that drips the body of a 200 is Delivered as soon as it has stalled", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        onRequest: (received) => {
          received.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
          drip(received, "");
        },
      });
      const outcomeOf = yield* stallingAfter(300, server.url);
      const { millis, outcome } = yield* outcomeOf(request);
      assert.deepInclude(outcome, { _tag: "Delivered", status: 200 });
      assert.isTrue(millis >= 280 && millis < 2_500, `${millis} ms`);
    }),
  );

  it.live("to a server that stops reading in the middle of a large body is an ambiguous timeout", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onConnect: (socket) => socket.pause() });
      const outcomeOf = yield* stallingAfter(300, server.url);
      const { millis, outcome } = yield* outcomeOf(large);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", ambiguous: true });
      assert.isTrue(millis >= 280 && millis < 2_500, `${millis} ms`);
    }),
  );

  it.live("to a server that reads a large body slowly but steadily is Delivered, although it takes many stalls", () =>
    Effect.gen(function* () {
      let bytes = 0;
      const server = createServer((received, response) => {
        received.on("data", (part: Buffer) => {
          bytes += part.length;
          received.pause();
          setTimeout(() => received.resume(), 6);
        });
        received.on("end", () => response.end());
      });
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () => Effect.sync(() => (server.closeAllConnections(), server.close())),
      );
      const outcomeOf = yield* stallingAfter(1_500, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const { millis, outcome } = yield* outcomeOf(large);
      assert.deepInclude(outcome, { _tag: "Delivered", status: 200 });
      assert.strictEqual(bytes, large.bodyBytes);
      assert.isAbove(millis, 1_500);
    }),
  );

  it.live("to a server that never accepts the connection is Deferred, and not ambiguous", () =>
    Effect.gen(function* () {
      const server = yield* serve({});
      // TLS to a server that says nothing: the connection never becomes usable, so nothing can have been sent.
      const destination = yield* openDestination(
        { kind: "http", url: `https://127.0.0.1:${server.port}/` },
        { pushMillisMax: 300 },
      );
      const outcome = yield* destination.push(request);
      assert.deepInclude(outcome, { _tag: "Deferred", ambiguous: false });
    }),
  );

  it.live("to a closed port is Deferred as refused, and not ambiguous", () =>
    Effect.gen(function* () {
      const server = yield* serve({});
      yield* Effect.promise(server.close);
      const destination = yield* openDestination({ kind: "http", url: server.url });
      const outcome = yield* destination.push(request);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "connection-refused", ambiguous: false });
    }),
  );

  it.live("to a name that does not resolve is Deferred as dns, and not ambiguous", () =>
    Effect.gen(function* () {
      const destination = yield* openDestination(
        { kind: "http", url: "http://nowhere.example/" },
        {
          resolve: (hostname, _, callback) =>
            callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), []),
        },
      );
      const outcome = yield* destination.push(request);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "dns", ambiguous: false });
    }),
  );

  it.live("that was given up while it waited for a connection is never sent", () =>
    Effect.gen(function* () {
      const server = yield* serve({});
      const destination = yield* openDestination({ kind: "http", url: server.url }, { connectionsPerHostMax: 1 });
      const first = yield* Effect.forkChild(destination.push({ ...request, batchId: "first" }));
      yield* until(() => server.requests.length === 1);
      const queued = yield* Effect.forkChild(destination.push({ ...request, batchId: "queued" }));
      yield* Effect.yieldNow;
      yield* Fiber.interrupt(queued);
      const last = yield* Effect.forkChild(destination.push({ ...request, batchId: "last" }));
      server.requests[0]?.socket.write(answerWith(200));
      assert.deepInclude(yield* Fiber.join(first), { _tag: "Delivered" });
      yield* until(() => server.requests.length === 2);
      server.requests[1]?.socket.write(answerWith(200));
      assert.deepInclude(yield* Fiber.join(last), { _tag: "Delivered" });
      assert.deepStrictEqual(
        server.requests.map(({ headers }) => headers["idempotency-key"]),
        ["first", "last"],
      );
    }),
  );

  it.live("to a server that resets in the middle of the request is Deferred as an ambiguous reset", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onConnect: (socket) => socket.once("data", () => socket.resetAndDestroy()) });
      const destination = yield* openDestination({ kind: "http", url: server.url });
      const outcome = yield* destination.push(conformanceRequest({ first: 1, records: 50_000, members: 3 }));
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "connection-reset", ambiguous: true });
    }),
  );

  it.live("to a server that closes without an answer is Deferred as an ambiguous reset", () =>
    Effect.gen(function* () {
      const { outcome } = yield* pushTo(({ socket }) => socket.end());
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "connection-reset", ambiguous: true });
    }),
  );

  it.live("to a server that drips its status and headers is an ambiguous timeout at the deadline", () =>
    Effect.gen(function* () {
      const { outcome, millis } = yield* pushTo(
        (received) => drip(received, `HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(9_999)}`),
        {
          deadline: 400,
        },
      );
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", ambiguous: true });
      assert.isTrue(millis >= 380 && millis < 1_500, `${millis} ms`);
    }),
  );

  it.live("to a server that drips the body of a 200 is Delivered, at the deadline, and the connection is closed", () =>
    Effect.gen(function* () {
      const { outcome, millis, server } = yield* pushTo(
        (received) => {
          received.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
          drip(received, "");
        },
        { deadline: 400 },
      );
      assert.deepInclude(outcome, { _tag: "Delivered", status: 200 });
      assert.isTrue(millis >= 380 && millis < 1_500, `${millis} ms`);
      yield* closed(server.sockets);
    }),
  );

  it.live("to a server that drips the body of a 500 is the 500", () =>
    Effect.gen(function* () {
      const { outcome } = yield* pushTo(
        (received) => {
          received.socket.write("HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n");
          drip(received, "");
        },
        { deadline: 300 },
      );
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "server-error", status: 500 });
    }),
  );

  it.live("to a server that answers 200 and closes in the middle of the body is Delivered", () =>
    Effect.gen(function* () {
      const { outcome, millis } = yield* pushTo(({ socket }) =>
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"),
      );
      assert.deepInclude(outcome, { _tag: "Delivered", status: 200 });
      assert.isBelow(millis, 1_000);
    }),
  );

  it.live("to a server that never stops answering is decided by its status, after 64 KB", () =>
    Effect.gen(function* () {
      const { outcome, millis, server } = yield* pushTo(({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const more = () => {
          while (!socket.destroyed && socket.write(`1000\r\n${"x".repeat(4_096)}\r\n`));
        };
        socket.on("drain", more);
        more();
      });
      assert.deepInclude(outcome, { _tag: "Delivered", status: 200 });
      assert.isBelow(millis, 2_000);
      yield* closed(server.sockets);
    }),
  );

  it.live("to a server that redirects is Rejected, and the redirect is not followed", () =>
    Effect.gen(function* () {
      const elsewhere = yield* serve({ onRequest: ({ socket }) => socket.write(answerWith(200)) });
      const { outcome } = yield* pushTo(({ socket }) =>
        socket.write(answerWith(307, { Location: `${elsewhere.url}/x` })),
      );
      assert.deepInclude(outcome, { _tag: "Rejected", reason: "redirect", status: 307 });
      assert.strictEqual(elsewhere.requests.length, 0);
    }),
  );

  it.live("to a server that does not speak HTTP is Deferred, ambiguous", () =>
    Effect.gen(function* () {
      const { outcome } = yield* pushTo(({ socket }) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
      assert.deepInclude(outcome, { _tag: "Deferred", ambiguous: true });
    }),
  );

  it.live("to a plain server by https is Rejected as tls", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onConnect: (socket) => socket.once("data", () => socket.end(answerWith(400))) });
      const destination = yield* openDestination({ kind: "http", url: `https://127.0.0.1:${server.port}/` });
      const outcome = yield* destination.push(request);
      assert.deepInclude(outcome, { _tag: "Rejected", reason: "tls" });
    }),
  );

  it.live("with unusable settings is Rejected without a request", () =>
    Effect.gen(function* () {
      const destination = yield* openDestination({ kind: "http", url: "not a url" });
      assert.deepInclude(yield* destination.push(request), { _tag: "Rejected", reason: "invalid-settings" });
      const inside = yield* openDestination(
        { kind: "http", url: "http://127.0.0.1:1/" },
        { allowPrivateDestinations: false },
      );
      assert.deepInclude(yield* inside.push(request), { _tag: "Rejected", reason: "blocked-address" });
    }),
  );
});

const closed = (sockets: ReadonlySet<unknown>) => until(() => sockets.size === 0);

const until = (condition: () => boolean) =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.tapError(() => Effect.sleep(10)),
    Effect.retry({ times: 200 }),
  );

/** Writes the text byte by byte until the socket closes; the timer is the fault itself, not synchronisation. */
const drip = (received: ScriptedRequest, text: string) => {
  let sent = 0;
  const timer = setInterval(() => received.socket.write(text.charAt(sent++) || "."), 20);
  received.socket.on("close", () => clearInterval(timer));
};
