import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { PartitionReport } from "../../src/actors/ports/backlogs.ts";
import { makePair } from "../../src/domain/partition.ts";
import { aSwitch, ScriptedSwitches } from "../support/scripted-switches.ts";
import { openAdmission, openDoor, type World } from "./door-world.ts";

const acme = { "spillway-customer": "acme" };
const globex = { "spillway-customer": "globex" };
const record = '{"a":1}\n';

const partitionOf = (customer: string, dataset = "logs"): number => makePair(customer, dataset, 8).partition;

const reportOf = (customer: string, over: Partial<PartitionReport> = {}): PartitionReport => ({
  partition: partitionOf(customer),
  epoch: 1,
  millis: Date.now(),
  scanned: 10,
  logFirst: 1,
  logLast: 10,
  logBytes: 1_000,
  appendedBytes: 0,
  unscannedBytes: 0,
  oldestMillis: undefined,
  refusing: [],
  ...over,
});

/** Until the door has looked at what it was told: it looks four times a second. */
const eventually = Effect.fnUntraced(function* (world: World, headers: Record<string, string>, status: number) {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) {
    const answer = yield* world.post("/v1/ingest/logs", record, headers);
    if (answer.status === status) return answer;
    yield* Effect.sleep(20);
  }
  return yield* Effect.die(new Error(`never answered ${status}`));
});

describe("customers over their quota at the door", () => {
  it.live("are refused alone, with 429 and Retry-After; their neighbours get in", () =>
    Effect.gen(function* () {
      const world = yield* openDoor();
      world.backlogs.tell(reportOf("acme", { refusing: ["acme.logs"] }));
      const answer = yield* eventually(world, acme, 429);
      assert.strictEqual(answer.json.error.code, "over_quota");
      assert.strictEqual(answer.headers["retry-after"], "10");
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
      assert.strictEqual((yield* world.post("/v1/ingest/strict", record, acme)).status, 200);
      assert.strictEqual(world.outbox.stored("acme", "strict"), record);
      const book = world.ingest.door().find(({ dataset }) => dataset === "logs");
      assert.isAtLeast(book!.refusedByReason["over-quota"]!, 1);
    }).pipe(Effect.scoped),
  );

  it.live("are refused alone in a mixed body, by line; what was accepted is exactly the others'", () =>
    Effect.gen(function* () {
      const world = yield* openDoor();
      world.backlogs.tell(
        reportOf("acme", { partition: partitionOf("acme", "mixed"), refusing: ["acme.mixed", "acme.logs"] }),
      );
      const line = (customer: string, n: number) => `{"customer":"${customer}","n":${n}}`;
      const body = [line("acme", 1), line("globex", 2), line("nobody", 3), line("acme", 4), line("globex", 5)];
      const answer = yield* world.post("/v1/ingest/mixed", body.join("\n"));
      assert.strictEqual(answer.status, 200);
      assert.strictEqual(answer.headers["retry-after"], "10");
      const detail = "the customer's backlog of this dataset is over its quota: send it again later";
      assert.deepStrictEqual(answer.json, {
        accepted: 2,
        unconfigured: 1,
        refusedCount: 2,
        refusedByReason: { "over-quota": 2 },
        refused: [
          { line: 1, reason: "over-quota", detail },
          { line: 4, reason: "over-quota", detail },
        ],
      });
      assert.strictEqual(world.outbox.stored("globex", "mixed"), `${body[1]}\n${body[4]}\n`);
      assert.strictEqual(world.outbox.stored("acme", "mixed"), "");
    }).pipe(Effect.scoped),
  );

  it.live("get in again when a newer report no longer names them; an older epoch does not count", () =>
    Effect.gen(function* () {
      const world = yield* openDoor();
      world.backlogs.tell(reportOf("acme", { epoch: 5, refusing: ["acme.logs"] }));
      yield* eventually(world, acme, 429);
      assert.isFalse(world.backlogs.tell(reportOf("acme", { epoch: 4, millis: Date.now() + 60_000 })));
      assert.isTrue(world.backlogs.tell(reportOf("acme", { epoch: 6, millis: 0 })), "another owner, another clock");
      yield* eventually(world, acme, 200);
    }).pipe(Effect.scoped),
  );

  it.live("stay refused while their owner is silent; without any report nobody is", () =>
    Effect.gen(function* () {
      const world = yield* openDoor();
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
      world.backlogs.tell(reportOf("acme", { millis: Date.now() - 3_600_000, refusing: ["acme.logs"] }), 3_600_000);
      yield* eventually(world, acme, 429);
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
    }).pipe(Effect.scoped),
  );
});

describe("what the log can take", () => {
  const limits = { logBytesMax: 8_388_608, unscannedPercentMax: 50 };

  it.live("is not given away: 503 when what nobody has read is near the bound, for that partition only", () =>
    Effect.gen(function* () {
      const world = yield* openDoor(limits);
      assert.notStrictEqual(partitionOf("acme"), partitionOf("globex"));
      world.backlogs.tell(reportOf("acme", { unscannedBytes: 4_194_303 }));
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, acme)).status, 200);
      world.backlogs.tell(reportOf("acme", { millis: Date.now() + 1, unscannedBytes: 4_194_304 }));
      const answer = yield* eventually(world, acme, 503);
      assert.strictEqual(answer.json.error.code, "log_full");
      assert.strictEqual(answer.headers["retry-after"], "2");
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
      world.backlogs.tell(reportOf("acme", { millis: Date.now() + 2, unscannedBytes: 0 }));
      yield* eventually(world, acme, 200);
    }).pipe(Effect.scoped),
  );
});

describe("newcomers in a surge", () => {
  it.live("are held back with 429; whoever may publish does not notice", () =>
    Effect.gen(function* () {
      const seen = new Set<string>();
      const world = yield* openDoor(
        {},
        {
          admission: {
            ...openAdmission,
            state: () => "closed",
            see: ({ key }) => void seen.add(key),
            mayPublish: ({ customer }) => customer !== "acme",
          },
        },
      );
      const answer = yield* world.post("/v1/ingest/logs", record, acme);
      assert.deepStrictEqual([answer.status, answer.json.error.code], [429, "newcomer"]);
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
      assert.deepStrictEqual([...seen], ["acme.logs", "globex.logs"]);
    }).pipe(Effect.scoped),
  );
});

describe("a kill switch at the door", () => {
  it.live("refuses all of a body with 503 and Retry-After, at once, and lets it in again at once", () =>
    Effect.gen(function* () {
      const switches = new ScriptedSwitches();
      const world = yield* openDoor({}, { switches });
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, acme)).status, 200);
      switches.throw(aSwitch("customer", "acme", { stops: "intake" }));
      const answer = yield* world.post("/v1/ingest/logs", record + record, acme);
      assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "10"]);
      assert.strictEqual(answer.json.error.code, "switched_off");
      assert.match(answer.json.error.message, /kill switch .* Nothing of this body was stored/);
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, globex)).status, 200);
      const book = world.ingest.door().find(({ dataset }) => dataset === "logs");
      assert.deepInclude(book, { accepted: 2, refused: 2, refusedByReason: { "switched-off": 2 } });
      switches.throw();
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, acme)).status, 200);
      assert.strictEqual(world.outbox.stored("acme", "logs"), record + record);
    }).pipe(Effect.scoped),
  );

  it.live("refuses in a mixed body only whom it names", () =>
    Effect.gen(function* () {
      const switches = new ScriptedSwitches();
      const world = yield* openDoor({}, { switches });
      switches.throw(aSwitch("customer", "acme", { stops: "both" }));
      const line = (customer: string, n: number) => `{"customer":"${customer}","n":${n}}`;
      const body = [line("acme", 1), line("globex", 2), line("nobody", 3), line("acme", 4)];
      const answer = yield* world.post("/v1/ingest/mixed", body.join("\n"));
      assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [200, "10"]);
      assert.deepInclude(answer.json, { accepted: 1, unconfigured: 1, refusedByReason: { "switched-off": 2 } });
      assert.strictEqual(world.outbox.stored("acme", "mixed"), "");
    }).pipe(Effect.scoped),
  );

  it.live("of the delivery alone lets records in", () =>
    Effect.gen(function* () {
      const switches = new ScriptedSwitches();
      const world = yield* openDoor({}, { switches });
      switches.throw(aSwitch("everything", ""));
      assert.strictEqual((yield* world.post("/v1/ingest/logs", record, acme)).status, 200);
    }).pipe(Effect.scoped),
  );
});
