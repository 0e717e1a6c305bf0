import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Fiber } from "effect";
import { emptyJobSet } from "../../src/actors/ports/jobs.ts";
import { AckTimeout, OutboxFull } from "../../src/actors/ports/outbox.ts";
import { type Answer, eventually, openDoor } from "./door-world.ts";

const acme = { "spillway-customer": "acme" };
const record = '{"a":1}\n';
const refusal = (code: string, message: string) => ({ error: { code, message } });
const whole = (text: string): boolean => /\r\n\r\n\{.*\}$/s.test(text);

describe("requests at the door", () => {
  it.live("refuses what the request line and the headers get wrong, and says what to do", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const idRule = "must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_'";
      const unsupportedType = "Content-Type must be application/x-ndjson (or none): one JSON object per line.";
      const unsupportedEncoding = "Content-Encoding must be identity, gzip or zstd.";
      const badKey = "Idempotency-Key must be 1 to 200 letters, digits, '.', '_', '~' or '-'.";
      const cases: ReadonlyArray<readonly [string, Record<string, string>, number, string, string]> = [
        ["/v1/ingest/_logs", acme, 400, "bad_dataset", `The dataset in the path ${idRule}.`],
        ["/v1/ingest/a.b", acme, 400, "bad_dataset", `The dataset in the path ${idRule}.`],
        [
          "/v1/ingest/logs",
          { "spillway-customer": "a.b" },
          400,
          "bad_customer",
          `The header Spillway-Customer ${idRule}.`,
        ],
        [
          "/v1/ingest/logs",
          { "spillway-customer": "" },
          400,
          "bad_customer",
          `The header Spillway-Customer ${idRule}.`,
        ],
        [
          "/v1/ingest/logs",
          {},
          400,
          "no_customer",
          "Whose records are these? Name the customer in the header Spillway-Customer, or the field that names it in each record in Spillway-Customer-Field.",
        ],
        [
          "/v1/ingest/logs",
          { "spillway-customer-field": "x".repeat(257) },
          400,
          "bad_customer_field",
          "Spillway-Customer-Field must name a field in at most 256 bytes.",
        ],
        ["/v1/ingest/logs", { ...acme, "content-type": "application/xml" }, 415, "unsupported_type", unsupportedType],
        [
          "/v1/ingest/logs",
          { ...acme, "content-type": "multipart/form-data; boundary=x" },
          415,
          "unsupported_type",
          unsupportedType,
        ],
        ["/v1/ingest/logs", { ...acme, "content-encoding": "br" }, 415, "unsupported_encoding", unsupportedEncoding],
        [
          "/v1/ingest/logs",
          { ...acme, "content-encoding": "gzip, gzip" },
          415,
          "unsupported_encoding",
          unsupportedEncoding,
        ],
        ["/v1/ingest/logs", { ...acme, "idempotency-key": "a b" }, 400, "bad_idempotency_key", badKey],
        ["/v1/ingest/logs", { ...acme, "idempotency-key": "k".repeat(201) }, 400, "bad_idempotency_key", badKey],
      ];
      for (const [path, headers, status, code, message] of cases) {
        const answer = yield* post(path, record, headers);
        assert.deepStrictEqual([answer.status, answer.json], [status, refusal(code, message)]);
      }
      assert.lengthOf(outbox.writes, 0);
    }).pipe(Effect.scoped),
  );

  it.live("takes every documented content type, with parameters and without", () =>
    Effect.gen(function* () {
      const { post } = yield* openDoor();
      const types = ["x-ndjson", "ndjson", "json; charset=utf-8", "jsonl", "octet-stream", "x-www-form-urlencoded"];
      for (const type of [...types.map((name) => `application/${name}`), "text/plain", "Text/Plain;charset=UTF-8"]) {
        const answer = yield* post("/v1/ingest/logs", record, { ...acme, "content-type": type });
        assert.strictEqual(answer.status, 200, type);
      }
      assert.strictEqual((yield* post("/v1/ingest/logs", record, acme)).status, 200);
    }).pipe(Effect.scoped),
  );

  it.live("passes the idempotency key on", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      yield* post("/v1/ingest/logs", record, { ...acme, "idempotency-key": "Run-1.part_2~3" });
      yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual(
        outbox.writes.map(({ key }) => key),
        ["Run-1.part_2~3", undefined],
      );
    }).pipe(Effect.scoped),
  );

  it.live("refuses an announced body above the limit before it reads it", () =>
    Effect.gen(function* () {
      const { ingest, raw } = yield* openDoor({ requestBodyBytesMax: 1_024 });
      const connection = yield* raw;
      connection.write(head({ ...acme, "content-length": "1025" }));
      const answer = yield* connection.until(whole);
      assert.match(answer, /^HTTP\/1.1 413 /);
      assert.include(
        answer,
        '"code":"body_too_large","message":"The body is larger than 1024 bytes: send smaller bodies."',
      );
      assert.strictEqual(ingest.inFlightBytes(), 0);
      connection.destroy();
    }).pipe(Effect.scoped),
  );

  it.live("stops reading an unannounced body at the limit, and the producer gets to read why", () =>
    Effect.gen(function* () {
      const { outbox, raw } = yield* openDoor({ requestBodyBytesMax: 100_000 });
      const connection = yield* raw;
      connection.write(head({ ...acme, "transfer-encoding": "chunked" }));
      // Far more than socket buffers hold: a connection that is reset would take the answer with it.
      for (let i = 0; i < 400; i++) connection.write(`10000\r\n${"x".repeat(65_536)}\r\n`);
      const answer = yield* connection.until(whole);
      assert.match(answer, /^HTTP\/1.1 413 /);
      assert.include(answer, "larger than 100000 bytes");
      assert.match(answer, /connection: close/i);
      assert.lengthOf(outbox.writes, 0);
    }).pipe(Effect.scoped),
  );

  it.live("answers a slow body with 408 and stores nothing of it", () =>
    Effect.gen(function* () {
      const { ingest, outbox, raw } = yield* openDoor({ requestReadMillisMax: 100 });
      const connection = yield* raw;
      connection.write(`${head({ ...acme, "content-length": "1000" })}${record}`);
      const answer = yield* connection.until(whole);
      assert.match(answer, /^HTTP\/1.1 408 /);
      assert.include(answer, '"code":"body_too_slow","message":"The body did not arrive within 100 ms');
      assert.lengthOf(outbox.writes, 0);
      assert.strictEqual(ingest.inFlightBytes(), 0);
      yield* eventually(() => connection.ended);
    }).pipe(Effect.scoped),
  );

  for (const checkContinue of [true, false]) {
    it.live(`says 100 Continue once, only to whom it admits${checkContinue ? "" : ", or leaves it to Node"}`, () =>
      Effect.gen(function* () {
        const { ingest, raw } = yield* openDoor({ requestBodyBytesMax: 1_024 }, { checkContinue });
        const polite = { ...acme, expect: "100-continue" };
        const admitted = yield* raw;
        admitted.write(head({ ...polite, "content-length": String(record.length) }));
        yield* admitted.until((text) => text.startsWith("HTTP/1.1 100 Continue\r\n\r\n"));
        assert.strictEqual(ingest.inFlightBytes(), record.length);
        admitted.write(record);
        const answer = yield* admitted.until(whole);
        assert.lengthOf(answer.match(/100 Continue/g)!, 1);
        assert.include(answer, "HTTP/1.1 200 OK");
        const refused = yield* raw;
        refused.write(head({ ...polite, "content-length": "5000" }));
        const why = yield* refused.until(whole);
        assert.include(why, "HTTP/1.1 413 ");
        assert.strictEqual(why.includes("100 Continue"), !checkContinue);
        admitted.destroy();
        refused.destroy();
      }).pipe(Effect.scoped),
    );
  }

  it.live("stores nothing when the producer is gone before the end of its body", () =>
    Effect.gen(function* () {
      const { ingest, outbox, raw } = yield* openDoor();
      const connection = yield* raw;
      connection.write(`${head({ ...acme, "content-length": "1000" })}${record}`);
      yield* eventually(() => ingest.inFlightBytes() === 1_000);
      connection.destroy();
      yield* eventually(() => ingest.inFlightBytes() === 0);
      assert.lengthOf(outbox.writes, 0);
    }).pipe(Effect.scoped),
  );

  it.live("finishes a write whose producer is gone", () =>
    Effect.gen(function* () {
      const { ingest, outbox, raw } = yield* openDoor();
      const durable = yield* Deferred.make<void>();
      outbox.answer = Deferred.await(durable);
      const connection = yield* raw;
      connection.write(`${head({ ...acme, "content-length": String(record.length) })}${record}`);
      yield* eventually(() => outbox.writes.length === 1);
      connection.destroy();
      yield* Deferred.succeed(durable, undefined);
      yield* eventually(() => ingest.inFlightBytes() === 0);
      assert.strictEqual(ingest.door()[0]!.accepted, 1);
    }).pipe(Effect.scoped),
  );

  it.live("answers only when the log has acknowledged", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor();
      const durable = yield* Deferred.make<void>();
      outbox.answer = Deferred.await(durable);
      const asked = yield* Effect.forkChild(post("/v1/ingest/logs", record, acme));
      yield* eventually(() => outbox.writes.length === 1);
      assert.strictEqual(ingest.inFlightBytes(), record.length);
      assert.isUndefined(asked.pollUnsafe());
      yield* Deferred.succeed(durable, undefined);
      const answer: Answer = yield* Fiber.join(asked);
      assert.strictEqual(answer.json.accepted, 1);
    }).pipe(Effect.scoped),
  );

  it.live("answers 503 with Retry-After when the outbox is full or the log is silent, and books nothing", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor();
      outbox.answer = new OutboxFull({ retryAfterSeconds: 3 });
      const full = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual(
        [full.status, full.headers["retry-after"], full.json.error.code],
        [503, "3", "outbox_full"],
      );
      assert.include(full.json.error.message, "Nothing of this body was stored");
      outbox.answer = new AckTimeout({ retryAfterSeconds: 2 });
      const silent = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual(
        [silent.status, silent.headers["retry-after"], silent.json.error.code],
        [503, "2", "ack_timeout"],
      );
      assert.include(silent.json.error.message, "may be stored later");
      assert.include(silent.json.error.message, "Idempotency-Key");
      assert.deepStrictEqual(ingest.door(), []);
    }).pipe(Effect.scoped),
  );

  it.live("answers 500 when a request dies, and goes on", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor();
      outbox.answer = Effect.die(new Error("a bug in the outbox"));
      const died = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual([died.status, died.json.error.code], [500, "internal"]);
      assert.notInclude(JSON.stringify(died.json), "a bug");
      assert.strictEqual(ingest.inFlightBytes(), 0);
      outbox.answer = Effect.interrupt;
      const cut = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual([cut.status, cut.json.error.code], [503, "draining"]);
      outbox.answer = Effect.void;
      assert.strictEqual((yield* post("/v1/ingest/logs", record, acme)).status, 200);
    }).pipe(Effect.scoped),
  );

  it.live("answers 503 while the node knows no set of push jobs, and takes an empty set for an answer", () =>
    Effect.gen(function* () {
      const { jobs, post } = yield* openDoor();
      jobs.set = emptyJobSet;
      const starting = yield* post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual(
        [starting.status, starting.headers["retry-after"], starting.json.error.code],
        [503, "1", "starting"],
      );
      jobs.set = { ...emptyJobSet, number: 1 };
      assert.strictEqual((yield* post("/v1/ingest/logs", record, acme)).json.unconfigured, 1);
    }).pipe(Effect.scoped),
  );

  it.live("keeps the connection of a small body that it refuses, for the next one", () =>
    Effect.gen(function* () {
      const { raw } = yield* openDoor();
      const connection = yield* raw;
      const length = { "content-length": String(record.length) };
      connection.write(`${head({ ...acme, ...length, "content-type": "text/html" })}${record}`);
      connection.write(`${head({ ...acme, ...length })}${record}`);
      const answers = yield* connection.until((text) => text.includes("200 OK") && whole(text));
      assert.match(answers, /^HTTP\/1.1 415 .*HTTP\/1.1 200 OK/s);
      connection.destroy();
    }).pipe(Effect.scoped),
  );
});

const head = (headers: Readonly<Record<string, string>>): string =>
  `POST /v1/ingest/logs HTTP/1.1\r\nhost: door\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;
