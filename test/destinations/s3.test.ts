import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import type { ServerResponse } from "node:http";
import { conformanceRequest } from "../../src/destinations/conformance.ts";
import type { S3Destination } from "../../src/domain/destination.ts";
import type { PushOutcome } from "../../src/domain/push-outcome.ts";
import { type S3Store, sendError, startS3Store, storeCredentials } from "../support/s3-store.ts";
import { openDestination } from "./open-destination.ts";

const small = conformanceRequest({ first: 1, records: 10, members: 2 });
/** Some 18 MB: three parts. */
const large = conformanceRequest({ first: 1, records: 420_000, members: 5 });

const open = Effect.fnUntraced(function* (
  settings: Partial<S3Destination> = {},
  options: Parameters<typeof openDestination>[1] = {},
) {
  const store = yield* Effect.acquireRelease(Effect.promise(startS3Store), ({ close }) => Effect.promise(close));
  const destination = yield* openDestination(
    { kind: "s3", endpoint: store.endpoint, bucket: "logs", ...storeCredentials, ...settings },
    options,
  );
  return { store, destination };
});

/** Answers the next request that matches, once or always, in the store's place. */
const script = (
  store: S3Store,
  matches: RegExp,
  respond: (response: ServerResponse) => void,
  times = Infinity,
): void => {
  let left = times;
  store.intercept = (request, response) => {
    if (left <= 0 || !matches.test(`${request.method} ${request.url}`)) return false;
    left -= 1;
    respond(response);
    return true;
  };
};

const methods = (store: S3Store): ReadonlyArray<string> => store.requests.map((request) => request.split(" ")[0] ?? "");

describe("an s3 push", () => {
  it.live("puts one signed object with the batch's id in its metadata", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({ path: "a/{DATE}/ü +*'()&=%41" });
      assert.deepStrictEqual(yield* destination.push(small), { _tag: "Delivered", status: 200, alreadyThere: false });
      const key = `a/20241114/ü +*'()&=%41/20241114T114307Z_20241114T114337Z_${small.hex}.log.gz`;
      assert.deepStrictEqual([...store.objects.keys()], [`/logs/${key}`]);
      const object = store.objects.get(`/logs/${key}`);
      assert.isTrue(object?.body.equals(Buffer.concat(small.body)));
      assert.deepInclude(object?.headers, {
        "content-type": "application/gzip",
        "x-amz-meta-spillway-batch": small.batchId,
        "x-amz-meta-spillway-records": "10",
        "x-amz-meta-spillway-bytes": String(small.batch.bytes),
      });
      assert.notProperty(object?.headers, "content-encoding");
      assert.strictEqual(destination.locate(small), `s3://logs/${key}`);
    }),
  );

  it.live("gives a replay a name and a mark of its own", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({ path: "a" });
      yield* destination.push(small);
      yield* destination.push({ ...small, replay: true });
      const [live, replay] = [...store.objects.keys()];
      assert.strictEqual(replay, live!.replace(".log.gz", "_replay.log.gz"));
      assert.notProperty(store.objects.get(live!)?.headers, "x-amz-meta-spillway-replay");
      assert.deepInclude(store.objects.get(replay!)?.headers, { "x-amz-meta-spillway-replay": "true" });
    }),
  );

  it.live("finds its own object when a retry meets it, and says so", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      yield* destination.push(small);
      assert.deepStrictEqual(yield* destination.push({ ...small, attempt: 2 }), {
        _tag: "Delivered",
        status: 412,
        alreadyThere: true,
      });
      assert.deepStrictEqual(methods(store), ["PUT", "PUT", "HEAD"]);
    }),
  );

  it.live("leaves another object under its key alone", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      const key = `/logs/${destination.locate(small).slice("s3://logs/".length)}`;
      const other = { body: Buffer.from("other"), headers: { "x-amz-meta-spillway-batch": "i0_other_1-2" } };
      store.objects.set(key, other);
      assert.deepInclude(yield* destination.push(small), { _tag: "Rejected", reason: "conflict", status: 412 });
      assert.strictEqual(store.objects.get(key), other);
    }),
  );

  it.live("says what is missing when the taken key may not be read", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      yield* destination.push(small);
      script(store, /^HEAD/, (response) => response.writeHead(403).end());
      const outcome = yield* destination.push({ ...small, attempt: 2 });
      assert.deepInclude(outcome, { _tag: "Rejected", reason: "conflict" });
      assert.match(JSON.stringify(outcome), /s3:GetObject/);
    }),
  );

  it.live("goes without the condition for a store that does not know it, and remembers", () =>
    Effect.gen(function* () {
      for (const status of [501, 400]) {
        const { store, destination } = yield* open();
        store.intercept = (request, response) => {
          if (request.headers["if-none-match"] === undefined) return false;
          sendError(response, status, "NotImplemented", "A header you provided implies functionality …");
          return true;
        };
        assert.deepInclude(yield* destination.push(small), { _tag: "Delivered", status: 200 });
        assert.deepInclude(yield* destination.push({ ...small, attempt: 2 }), { _tag: "Delivered" });
        assert.deepStrictEqual(methods(store), ["PUT", "PUT", "PUT"]);
        assert.strictEqual(store.objects.size, 1);
      }
    }),
  );

  it.live("signs with a session token, and for an endpoint below a path", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({ sessionToken: "FwoGZ/+=" });
      let token: unknown;
      store.intercept = (request) => {
        token = request.headers["x-amz-security-token"];
        return false;
      };
      assert.deepInclude(yield* destination.push(small), { _tag: "Delivered" });
      assert.strictEqual(token, "FwoGZ/+=");
      const below = yield* openDestination({
        kind: "s3",
        endpoint: `${store.endpoint}/s3/`,
        bucket: "logs",
        ...storeCredentials,
      });
      assert.deepInclude(yield* below.push(small), { _tag: "Delivered" });
      assert.isTrue([...store.objects.keys()].some((key) => key.startsWith("/s3/logs/")));
    }),
  );

  it.live("with a wrong secret is Rejected as unauthorised, by a store that checks signatures", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({ secretAccessKey: "wrong-s3cret" });
      const outcome = yield* destination.push(small);
      assert.deepInclude(outcome, { _tag: "Rejected", reason: "unauthorised", status: 403 });
      assert.notInclude(JSON.stringify(outcome), "s3cret");
      assert.strictEqual(store.objects.size, 0);
    }),
  );
});

describe("the outcome of an s3 answer", () => {
  const table: ReadonlyArray<
    readonly [status: number, code: string, outcome: Partial<Extract<PushOutcome, { reason: string }>>]
  > = [
    [403, "AccessDenied", { _tag: "Rejected", reason: "forbidden" }],
    [403, "InvalidAccessKeyId", { _tag: "Rejected", reason: "unauthorised" }],
    [403, "RequestTimeTooSkewed", { _tag: "Deferred", reason: "other", ambiguous: false }],
    [400, "ExpiredToken", { _tag: "Rejected", reason: "unauthorised" }],
    [400, "AuthorizationHeaderMalformed", { _tag: "Rejected", reason: "invalid-settings" }],
    [400, "RequestTimeout", { _tag: "Deferred", reason: "timeout", ambiguous: false }],
    [400, "Whatever", { _tag: "Rejected", reason: "other" }],
    [404, "NoSuchBucket", { _tag: "Rejected", reason: "not-found" }],
    [301, "PermanentRedirect", { _tag: "Rejected", reason: "redirect" }],
    [409, "ConditionalRequestConflict", { _tag: "Deferred", reason: "other", ambiguous: false }],
    [500, "InternalError", { _tag: "Deferred", reason: "server-error", ambiguous: true }],
    [503, "SlowDown", { _tag: "Deferred", reason: "throttled", ambiguous: false }],
  ];
  it.live.each(table)("%i %s", ([status, code, expected]) =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      script(store, /^PUT/, (response) => sendError(response, status, code, "holds AKTEST and\nmore"));
      const outcome = yield* destination.push(small);
      assert.deepInclude(outcome, { ...expected, status });
      assert.include(JSON.stringify(outcome), `${status} ${code}`);
      assert.notMatch(JSON.stringify(outcome), /AKTEST|more"/);
    }),
  );

  it.live("names the clocks when they differ", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      script(store, /^PUT/, (response) => sendError(response, 403, "RequestTimeTooSkewed"));
      assert.match(JSON.stringify(yield* destination.push(small)), /clocks .* NTP/);
    }),
  );
});

describe("an s3 push in parts", () => {
  it.live("makes the same object, with the same metadata, in several requests", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      assert.isAbove(large.bodyBytes, 16_777_216);
      assert.deepStrictEqual(yield* destination.push(large), { _tag: "Delivered", status: 200, alreadyThere: false });
      assert.deepStrictEqual(methods(store), ["POST", "PUT", "PUT", "PUT", "POST"]);
      const [object] = [...store.objects.values()];
      assert.isTrue(object?.body.equals(Buffer.concat(large.body)));
      assert.deepInclude(object?.headers, {
        "content-type": "application/gzip",
        "x-amz-meta-spillway-batch": large.batchId,
      });
      assert.strictEqual(store.uploads.size, 0);
    }),
  );

  it.live("looks before it uploads again", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      yield* destination.push(large);
      store.requests.length = 0;
      assert.deepInclude(yield* destination.push({ ...large, attempt: 2 }), { _tag: "Delivered", alreadyThere: true });
      assert.deepStrictEqual(methods(store), ["HEAD"]);
    }),
  );

  it.live("completes only if the key is still free, and aborts otherwise", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      yield* destination.push(large);
      // A first attempt does not look: another owner's attempt has landed meanwhile.
      assert.deepInclude(yield* destination.push(large), { _tag: "Delivered", status: 412, alreadyThere: true });
      assert.strictEqual(store.uploads.size, 0);
    }),
  );

  it.live("aborts when a part fails, and says why", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      script(store, /partNumber=2/, (response) => sendError(response, 503, "SlowDown"));
      assert.deepInclude(yield* destination.push(large), { _tag: "Deferred", reason: "throttled", ambiguous: false });
      assert.deepStrictEqual([store.objects.size, store.uploads.size], [0, 0]);
      assert.strictEqual(methods(store).at(-1), "DELETE");
    }),
  );

  it.live("believes the body of a 200, not its status", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      script(store, /^POST .*uploadId=/, (response) => sendError(response, 200, "InternalError"));
      assert.deepInclude(yield* destination.push(large), { _tag: "Deferred", reason: "server-error", ambiguous: true });
      script(store, /^POST .*uploadId=/, (response) => {
        response.writeHead(200, { "content-length": "1000" }).write("<Complete", () => response.destroy());
      });
      assert.deepInclude(yield* destination.push(large), {
        _tag: "Deferred",
        reason: "connection-reset",
        ambiguous: true,
      });
      assert.deepStrictEqual([store.objects.size, store.uploads.size], [0, 0]);
    }),
  );

  it.live("keeps one deadline for all its requests, and then still aborts", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({}, { pushMillisMax: 700 });
      script(store, /partNumber=3/, () => {});
      const outcome = yield* destination.push(large);
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "timeout", ambiguous: false });
      assert.deepStrictEqual([store.objects.size, store.uploads.size], [0, 0]);
    }),
  );

  it.live("times out while it creates the upload", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open({}, { pushMillisMax: 300 });
      script(store, /^POST/, () => {});
      assert.deepInclude(yield* destination.push(large), { _tag: "Deferred", reason: "timeout" });
    }),
  );

  it.live("aborts when it is interrupted", () =>
    Effect.gen(function* () {
      const { store, destination } = yield* open();
      const reached = Promise.withResolvers<void>();
      script(store, /partNumber=3/, () => reached.resolve());
      const push = yield* Effect.forkChild(destination.push(large));
      yield* Effect.promise(() => reached.promise);
      assert.strictEqual(store.uploads.size, 1);
      yield* Fiber.interrupt(push);
      assert.deepStrictEqual([store.objects.size, store.uploads.size], [0, 0]);
    }),
  );
});
