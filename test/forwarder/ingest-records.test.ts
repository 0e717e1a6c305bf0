import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Fiber } from "effect";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { AckTimeout } from "../../src/actors/ports/outbox.ts";
import { eventually, jobSetOf, openDoor } from "./door-world.ts";
import { piecesOf } from "../support/world.ts";

const acme = { "spillway-customer": "acme" };
const lines = (...records: ReadonlyArray<string | Buffer>): Buffer =>
  Buffer.concat(records.flatMap((record) => [Buffer.from(record), Buffer.from("\n")]));

const ofBytes = (bytes: number): string => `{"x":"${"y".repeat(bytes - 8)}"}`;

/** Large enough to come in several parts, and so to be joined in pooled memory. */
const bodyOf = (n: number): string => `{"n":${n},"x":"${"y".repeat(990)}"}\n`.repeat(200);

/** The whole 200 answer: nothing more, nothing less. */
const receipt = (more: Record<string, unknown>) => ({
  accepted: 0,
  unconfigured: 0,
  refusedCount: 0,
  refusedByReason: {},
  refused: [],
  ...more,
});

describe("records at the door", () => {
  it.live("keeps a 19-digit integer byte by byte", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const body = '{"at":1731584580123456789,"n":0.1e1}\n{ "at" : 9223372036854775807 }\n';
      const answer = yield* post("/v1/ingest/logs", body, acme);
      assert.strictEqual(answer.status, 200);
      assert.deepStrictEqual(answer.json, receipt({ accepted: 2 }));
      assert.strictEqual(outbox.stored("acme", "logs"), body);
    }).pipe(Effect.scoped),
  );

  it.live("refuses invalid UTF-8 alone; its neighbours arrive byte-identical", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const good = ['{"a":"ä€😀"}', '{"b":2}'];
      const bad = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]);
      const answer = yield* post("/v1/ingest/logs", lines(good[0]!, bad, good[1]!), acme);
      assert.strictEqual(answer.status, 200);
      assert.deepStrictEqual(
        answer.json,
        receipt({
          accepted: 2,
          refusedCount: 1,
          refusedByReason: { "not-utf8": 1 },
          refused: [{ line: 2, reason: "not-utf8", detail: "the record is not UTF-8" }],
        }),
      );
      assert.deepStrictEqual(outbox.storedBytes("acme", "logs"), lines(...good));
    }).pipe(Effect.scoped),
  );

  it.live("takes a record of exactly 1 MiB and refuses one byte more alone, with the limit in the text", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const fits = ofBytes(1_048_576);
      const answer = yield* post("/v1/ingest/logs", lines('{"a":1}', fits, ofBytes(1_048_577), '{"b":2}'), acme);
      assert.strictEqual(answer.status, 200);
      assert.deepStrictEqual(
        answer.json,
        receipt({
          accepted: 3,
          refusedCount: 1,
          refusedByReason: { "too-big": 1 },
          refused: [{ line: 3, reason: "too-big", detail: "the record is longer than 1048576 bytes" }],
        }),
      );
      assert.strictEqual(outbox.stored("acme", "logs"), `{"a":1}\n${fits}\n{"b":2}\n`);
      const pieces = outbox.writes[0]!.pieces;
      assert.isTrue(pieces.every(({ data, records }) => records === 1 || data.length <= 524_288));
    }).pipe(Effect.scoped),
  );

  it.live("skips empty lines, takes CRLF as a line ending, and needs no newline at the end", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const body = '\n{"a":1}\r\n\r\n{"b":2}\n\n\n{"c":"\\r"}\r\n nonsense\n{"d":4}';
      const answer = yield* post("/v1/ingest/logs", body, acme);
      assert.deepStrictEqual(
        answer.json,
        receipt({
          accepted: 4,
          refusedCount: 1,
          refusedByReason: { "not-an-object": 1 },
          refused: [{ line: 8, reason: "not-an-object", detail: "the record does not begin with { and end with }" }],
        }),
      );
      assert.strictEqual(outbox.stored("acme", "logs"), '{"a":1}\n{"b":2}\n{"c":"\\r"}\n{"d":4}\n');
    }).pipe(Effect.scoped),
  );

  it.live("answers an empty body with zeros and writes nothing", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      for (const body of ["", "\n\r\n\n"]) {
        const answer = yield* post("/v1/ingest/logs", body, acme);
        assert.strictEqual(answer.status, 200);
        assert.deepStrictEqual(answer.json, receipt({}));
      }
      assert.lengthOf(outbox.writes, 0);
    }).pipe(Effect.scoped),
  );

  it.live("refuses records without a usable customer alone", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const body = lines(
        '{"customer":"acme","n":1}',
        '{"n":2}',
        '{"customer":"_acme"}',
        '{"customer":42}',
        '{"inner":{"customer":"globex"},"n":5}',
        '{"inner":{"customer":"acme"},"customer":"globex"}',
      );
      const answer = yield* post("/v1/ingest/mixed", body);
      const none = 'the record has no top-level field "customer"';
      const bad =
        "the field \"customer\" must be a string of 1 to 64 letters, digits, '-' or '_' that does not begin with '_'";
      assert.deepStrictEqual(
        answer.json,
        receipt({
          accepted: 2,
          refusedCount: 4,
          refusedByReason: { "no-customer": 2, "bad-customer": 2 },
          refused: [
            { line: 2, reason: "no-customer", detail: none },
            { line: 3, reason: "bad-customer", detail: bad },
            { line: 4, reason: "bad-customer", detail: bad },
            { line: 5, reason: "no-customer", detail: none },
          ],
        }),
      );
      assert.strictEqual(outbox.stored("acme", "mixed"), '{"customer":"acme","n":1}\n');
      assert.strictEqual(outbox.stored("globex", "mixed"), '{"inner":{"customer":"acme"},"customer":"globex"}\n');
    }).pipe(Effect.scoped),
  );

  it.live("parses records only where the dataset asks for it", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const body = lines('{"a":1}', "{a:1}", '{"b":2}');
      assert.strictEqual((yield* post("/v1/ingest/logs", body, acme)).json.accepted, 3);
      const strict = yield* post("/v1/ingest/strict", body, acme);
      assert.deepStrictEqual(
        strict.json,
        receipt({
          accepted: 2,
          refusedCount: 1,
          refusedByReason: { "not-json": 1 },
          refused: [{ line: 2, reason: "not-json", detail: "the record is not JSON" }],
        }),
      );
      assert.strictEqual(outbox.stored("acme", "strict"), '{"a":1}\n{"b":2}\n');
    }).pipe(Effect.scoped),
  );

  it.live("lists the first refused records and counts them all", () =>
    Effect.gen(function* () {
      const { post } = yield* openDoor({ refusedListedMax: 2 });
      const answer = yield* post("/v1/ingest/logs", "no\n".repeat(50) + '{"a":1}\n', acme);
      assert.strictEqual(answer.json.accepted, 1);
      assert.strictEqual(answer.json.refusedCount, 50);
      assert.deepStrictEqual(
        answer.json.refused.map(({ line }: { line: number }) => line),
        [1, 2],
      );
    }).pipe(Effect.scoped),
  );

  it.live("takes the field of the header, then of the query, then of the catalogue", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const body = '{"customer":"acme","zone":"globex","host":"acme"}\n';
      const field = { "spillway-customer-field": "zone" };
      yield* post("/v1/ingest/mixed?Spillway-Customer-Field=host", body, field);
      assert.strictEqual(outbox.stored("globex", "mixed"), body);
      yield* post("/v1/ingest/mixed?Spillway-Customer-Field=host", body);
      assert.strictEqual(outbox.stored("acme", "mixed"), body);
      yield* post("/v1/ingest/logs", body, { ...field, "spillway-customer": "acme" });
      assert.strictEqual(outbox.stored("acme", "logs"), body);
    }).pipe(Effect.scoped),
  );

  it.live("counts what no push job wants and creates nothing for it", () =>
    Effect.gen(function* () {
      const { ingest, jobs, outbox, post } = yield* openDoor();
      const body = lines('{"customer":"stranger"}', '{"customer":"acme"}', '{"customer":"stranger2"}', "no");
      const answer = yield* post("/v1/ingest/mixed", body);
      assert.strictEqual(answer.json.accepted, 1);
      assert.strictEqual(answer.json.unconfigured, 2);
      assert.deepStrictEqual(
        outbox.writes.flatMap(({ pieces }) => pieces.map(({ pair }) => pair.key)),
        ["acme.mixed"],
      );
      jobs.set = jobSetOf([]);
      const later = yield* post("/v1/ingest/mixed", body);
      assert.deepStrictEqual([later.status, later.json.accepted, later.json.unconfigured], [200, 0, 3]);
      assert.lengthOf(outbox.writes, 1);
      assert.deepStrictEqual(ingest.door(), [
        {
          dataset: "mixed",
          accepted: 1,
          acceptedBytes: 20,
          refused: 2,
          refusedBytes: 6,
          unconfigured: 5,
          unconfiguredBytes: 24 + 25 + 24 + 20 + 25,
          refusedByReason: { "not-an-object": 2 },
        },
      ]);
    }).pipe(Effect.scoped),
  );

  it.live("keeps the order of each customer across thousands of mixed records, compressed or not", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const customers = ["acme", "globex"];
      const records = Array.from({ length: 5_000 }, (_, n) => {
        const customer = customers[(n * 7 + (n % 3)) % 2]!;
        return { customer, text: `{"customer":"${customer}","n":${n}}` };
      });
      const body = lines(...records.map(({ text }) => text));
      const bodies: ReadonlyArray<readonly [Buffer, Record<string, string>]> = [
        [body, {}],
        [gzipSync(body), { "content-encoding": "gzip" }],
        [zstdCompressSync(body), { "content-encoding": "zstd" }],
      ];
      for (const [sent, headers] of bodies) {
        outbox.writes.length = 0;
        const answer = yield* post("/v1/ingest/mixed", sent, headers);
        assert.deepStrictEqual(answer.json, receipt({ accepted: 5_000 }));
        for (const name of customers) {
          const expected = records.filter(({ customer }) => customer === name).map(({ text }) => `${text}\n`);
          assert.strictEqual(outbox.stored(name, "mixed"), expected.join(""));
        }
        assert.isTrue(outbox.writes[0]!.pieces.every((piece) => piece.records <= 1_000));
      }
    }).pipe(Effect.scoped),
  );

  it.live("does not use a body's memory again before the log has it, nor after a timeout", () =>
    Effect.gen(function* () {
      const { ingest, outbox, post } = yield* openDoor();
      const durable = yield* Deferred.make<void>();
      outbox.answer = Effect.andThen(Deferred.await(durable), new AckTimeout({ retryAfterSeconds: 1 }));
      const held = yield* Effect.forEach([1, 2, 3], (n) => Effect.forkChild(post("/v1/ingest/logs", bodyOf(n), acme)));
      yield* eventually(() => outbox.taken.length === 3);
      const heldWrites = [...outbox.taken];
      outbox.answer = Effect.void;
      for (let n = 4; n < 10; n++) yield* post("/v1/ingest/logs", bodyOf(n), acme);
      yield* Deferred.succeed(durable, undefined);
      for (const fiber of held) assert.strictEqual((yield* Fiber.join(fiber)).status, 503);
      for (let n = 10; n < 16; n++) yield* post("/v1/ingest/logs", bodyOf(n), acme);
      const texts = heldWrites.map((spans) => Buffer.concat(piecesOf(spans).map(({ data }) => data)).toString());
      assert.sameMembers(texts, [1, 2, 3].map(bodyOf));
      assert.strictEqual(ingest.inFlightBytes(), 0);
    }).pipe(Effect.scoped),
  );
});
