import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Fiber } from "effect";
import { Admission, type Place } from "../../src/forwarder/admission.ts";
import { EventLoopDelay } from "../../src/forwarder/event-loop-delay.ts";
import { RequestRefused } from "../../src/forwarder/request-refused.ts";
import { eventually, openDoor } from "./door-world.ts";

const acme = { "spillway-customer": "acme" };
const record = '{"a":1}\n';

/** A histogram as Node's: every sample is the timer's 20 ms and what came on top. */
class Delays {
  count = 0;
  private sum = 0;
  get mean() {
    return this.count === 0 ? Number.NaN : this.sum / this.count;
  }
  late(millis: number, times: number) {
    this.count += times;
    this.sum += times * (20 + millis) * 1e6;
  }
}

const admission = (limits: Partial<ConstructorParameters<typeof Admission>[0]> = {}) => {
  const delays = new Delays();
  const time = { millis: 0 };
  const all = { requestsInFlightMax: 3, requestsInFlightBytesMax: 100_000, eventLoopDelayMillisMax: 1_000, ...limits };
  return { door: new Admission(all, new EventLoopDelay(delays, () => time.millis)), delays, time };
};

const admitted = (result: Place | RequestRefused): Place => {
  if (result instanceof RequestRefused) assert.fail(`refused: ${result.message}`);
  return result;
};

const refusedWith = (result: Place | RequestRefused, code: string) => {
  if (!(result instanceof RequestRefused)) assert.fail("admitted");
  assert.deepStrictEqual([result.status, result.code], [503, code]);
  assert.isAtLeast(result.retryAfterSeconds ?? 0, 1);
};

describe("admission", () => {
  it("bounds the number of requests", () => {
    const { door } = admission();
    const places = [1, 2, 3].map(() => admitted(door.enter(1)));
    refusedWith(door.enter(1), "busy");
    places[1]!.leave();
    places[1]!.leave();
    admitted(door.enter(1));
    refusedWith(door.enter(1), "busy");
  });

  it("bounds the bytes, but always takes one request", () => {
    const { door } = admission();
    const large = admitted(door.enter(150_000));
    refusedWith(door.enter(1), "busy");
    large.leave();
    const half = admitted(door.enter(50_000));
    assert.strictEqual(half.roomBytes(), Number.MAX_SAFE_INTEGER);
    const other = admitted(door.enter(40_000));
    assert.strictEqual(half.roomBytes(), 60_000);
    assert.isTrue(half.hold(60_000));
    assert.isFalse(half.hold(60_001));
    assert.strictEqual(door.bytesInFlight(), 100_000);
    assert.isTrue(half.hold(10));
    other.leave();
    assert.strictEqual(door.bytesInFlight(), 10);
    half.leave();
    assert.strictEqual(door.bytesInFlight(), 0);
    assert.isFalse(half.hold(1));
  });

  it("refuses while the event loop is late, by its latest half second", () => {
    const { delays, door, time } = admission();
    delays.late(0, 1_000);
    admitted(door.enter(1));
    delays.late(3_000, 2);
    time.millis = 499;
    admitted(door.enter(1));
    time.millis = 500;
    refusedWith(door.enter(1), "busy");
    time.millis = 1_000;
    delays.late(1, 25);
    admitted(door.enter(1));
  });

  it("closes: nothing more comes in, and the last one out tells", () => {
    const { door } = admission();
    const place = admitted(door.enter(1));
    let told = 0;
    door.close(() => (told += 1));
    refusedWith(door.enter(1), "draining");
    assert.strictEqual(told, 0);
    place.leave();
    assert.strictEqual(told, 1);
  });
});

describe("admission at the door", () => {
  it.live("answers 503 with Retry-After before it reads the body, and takes the next when there is room", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor({ requestsInFlightMax: 1 });
      const durable = yield* Deferred.make<void>();
      outbox.answer = Deferred.await(durable);
      const first = yield* Effect.forkChild(post("/v1/ingest/logs", record, acme));
      yield* eventually(() => outbox.writes.length === 1);
      const busy = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual([busy.status, busy.headers["retry-after"], busy.json.error.code], [503, "1", "busy"]);
      yield* Deferred.succeed(durable, undefined);
      assert.strictEqual((yield* Fiber.join(first)).status, 200);
      assert.strictEqual((yield* post("/v1/ingest/logs", record, acme)).status, 200);
      assert.strictEqual(ingest.inFlightBytes(), 0);
    }).pipe(Effect.scoped),
  );

  it.live("counts an unannounced body as it grows", () =>
    Effect.gen(function* () {
      const { ingest, outbox, raw } = yield* openDoor({ requestsInFlightBytesMax: 300_000 });
      const head = "POST /v1/ingest/logs HTTP/1.1\r\nhost: door\r\nspillway-customer: acme\r\n";
      const announced = yield* raw;
      announced.write(`${head}content-length: 200000\r\n\r\n`);
      yield* eventually(() => ingest.inFlightBytes() === 200_000);
      const growing = yield* raw;
      growing.write(`${head}transfer-encoding: chunked\r\n\r\n`);
      yield* eventually(() => ingest.inFlightBytes() === 265_536);
      for (let i = 0; i < 10; i++) growing.write(`8000\r\n${"x".repeat(32_768)}\r\n`);
      const answer = yield* growing.until((text) => text.endsWith("}"));
      assert.match(answer, /^HTTP\/1.1 503 .*"code":"busy"/s);
      assert.strictEqual(ingest.inFlightBytes(), 200_000);
      assert.lengthOf(outbox.writes, 0);
      announced.destroy();
      growing.destroy();
    }).pipe(Effect.scoped),
  );

  it.live("closes by refusing what is new and waiting for what is in flight", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor();
      const durable = yield* Deferred.make<void>();
      outbox.answer = Deferred.await(durable);
      const first = yield* Effect.forkChild(post("/v1/ingest/logs", record, acme));
      yield* eventually(() => outbox.writes.length === 1);
      const closing = yield* Effect.forkChild(ingest.close);
      const late = yield* Effect.repeat(post("/v1/ingest/logs", record, acme), {
        until: ({ status }) => status === 503,
      });
      assert.strictEqual(late.json.error.code, "draining");
      assert.isUndefined(closing.pollUnsafe());
      yield* Deferred.succeed(durable, undefined);
      assert.strictEqual((yield* Fiber.join(first)).status, 200);
      yield* Fiber.join(closing);
    }).pipe(Effect.scoped),
  );

  it.live("does not wait longer than a drain may take", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor({ drainMillisMax: 50 });
      outbox.answer = Effect.never;
      yield* Effect.forkChild(post("/v1/ingest/logs", record, acme));
      yield* eventually(() => outbox.writes.length === 1);
      yield* ingest.close;
    }).pipe(Effect.scoped),
  );
});
