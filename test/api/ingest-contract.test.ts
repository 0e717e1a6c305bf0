import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { OpenApi } from "effect/http-api";
import { DocumentedApi } from "../../src/api/contract.ts";
import { IngestAnswer } from "../../src/api/ingest-contract.ts";
import { openDoor } from "../forwarder/door-world.ts";

const operation = OpenApi.fromApi(DocumentedApi).paths["/v1/ingest/{dataset}"]!.post!;

/** Anything that the schema does not name is an error. */
const decode = Schema.decodeUnknownEffect(IngestAnswer, { onExcessProperty: "error" });

describe("the ingest door, as documented", () => {
  it.live("answers with what the schema says, no more and no less", () =>
    Effect.gen(function* () {
      const { post } = yield* openDoor({ recordBytesMax: 64 });
      const lines = [
        '{"customer":"acme"}',
        '{"customer":"nobody"}',
        "no object",
        `{"x":"${"y".repeat(100)}"}`,
        '{"a":1}',
        '{"customer":1}',
      ];
      const answer = yield* post("/v1/ingest/mixed", lines.join("\n"));
      assert.strictEqual(answer.status, 200);
      const decoded = yield* decode(answer.json);
      assert.deepStrictEqual(Object.keys(answer.json), Object.keys(IngestAnswer.fields));
      assert.strictEqual(decoded.refusedCount, 4);
      assert.deepStrictEqual(Object.keys(decoded.refused[0]!), ["line", "reason", "detail"]);
      assert.deepStrictEqual(decoded.refusedByReason, {
        "not-an-object": 1,
        "too-big": 1,
        "no-customer": 1,
        "bad-customer": 1,
      });
    }).pipe(Effect.scoped),
  );

  it.live("answers with what the schema says when nothing was refused", () =>
    Effect.gen(function* () {
      const { post } = yield* openDoor();
      const answer = yield* post("/v1/ingest/logs", "{}\n", { "spillway-customer": "acme" });
      assert.deepStrictEqual(yield* decode(answer.json), {
        accepted: 1,
        unconfigured: 0,
        refusedCount: 0,
        refusedByReason: {},
        refused: [],
      });
    }).pipe(Effect.scoped),
  );

  it.live("takes the headers and the query that it says it takes", () =>
    Effect.gen(function* () {
      const named = operation.parameters.map((each) => `${each.in} ${each.name}`);
      for (const name of [
        "header spillway-customer-field",
        "query spillway-customer-field",
        "header idempotency-key",
      ]) {
        assert.include(named, name);
      }
      const { outbox, post } = yield* openDoor();
      const field = { "spillway-customer-field": "who" };
      assert.strictEqual((yield* post("/v1/ingest/logs", '{"who":"acme"}', field)).json.accepted, 1);
      const query = "/v1/ingest/logs?spillway-customer-field=who";
      assert.strictEqual((yield* post(query, '{"who":"acme"}')).json.accepted, 1);
      assert.lengthOf(outbox.writes, 2);
    }).pipe(Effect.scoped),
  );

  it("names every status that the door gives", () => {
    const statuses = ["200", "400", "404", "408", "413", "415", "429", "500", "503"];
    assert.sameMembers(Object.keys(operation.responses), statuses);
  });
});
