import { assert, describe, it } from "@effect/vitest";
import { Effect, Metric } from "effect";
import { DrillFaults } from "../../src/actors/ports/drill-faults.ts";
import { NotServed, Outbox } from "../../src/actors/ports/outbox.ts";
import type { FaultName } from "../../src/domain/drill-state.ts";
import { piecesOf } from "../support/world.ts";
import { openDoor, twoCustomers } from "./door-world.ts";

const line = (customer: string, n: number) => `{"customer":"${customer}","n":${n}}\n`;
const mixedBody = line("acme", 1) + line("stranger", 2) + line("globex", 3) + line("other-one", 4) + line("acme", 5);

/** Everything that is armed, to be changed by the test. */
const armedWith = (armed: Set<FaultName>) =>
  Effect.provideService(DrillFaults, { isArmed: (name) => armed.has(name), isGuardOn: () => true });

/** As the real one: takes nothing at all of a body with a pair that is not served. */
const gatedOutbox = (stored: Map<string, string>, isServed: (key: string) => boolean) =>
  Outbox.of({
    write: (spans) =>
      Effect.suspend(() => {
        if (!spans.pairs.every(({ key }) => isServed(key))) return Effect.fail(new NotServed());
        for (const { data, pair } of piecesOf(spans)) {
          stored.set(pair.key, (stored.get(pair.key) ?? "") + data.toString());
        }
        return Effect.void;
      }),
    bytes: () => 0,
  });

describe("a forwarder that fails open", () => {
  it.live("takes everybody's records for wanted, under their own pairs, for as long as the fault is armed", () =>
    Effect.gen(function* () {
      const armed = new Set<FaultName>();
      const world = yield* openDoor().pipe(armedWith(armed));
      const counts = (json: any) => [json.accepted, json.unconfigured];
      assert.deepStrictEqual(counts((yield* world.post("/v1/ingest/mixed", mixedBody)).json), [3, 2]);
      armed.add("forwarder.failsOpen");
      assert.deepStrictEqual(counts((yield* world.post("/v1/ingest/mixed", mixedBody)).json), [5, 0]);
      const alone = { "spillway-customer": "stranger" };
      assert.deepStrictEqual(counts((yield* world.post("/v1/ingest/logs", line("x", 9), alone)).json), [1, 0]);
      armed.clear();
      assert.deepStrictEqual(counts((yield* world.post("/v1/ingest/mixed", mixedBody)).json), [3, 2]);
      assert.strictEqual(world.outbox.stored("stranger", "mixed"), line("stranger", 2));
      assert.strictEqual(world.outbox.stored("stranger", "logs"), line("x", 9));
      assert.strictEqual(world.outbox.stored("globex", "mixed"), line("globex", 3).repeat(3));
      // What gathers for the log tells pairs apart by their objects.
      const strangers = world.outbox.writes.flatMap(({ pieces }) => pieces).map(({ pair }) => pair);
      const ofOne = strangers.filter(({ key }) => key === "stranger.mixed");
      assert.strictEqual(new Set(ofOne).size, 1);
    }).pipe(Effect.scoped),
  );

  it.live("is stopped by the outbox: the others of the same body are stored, the strangers' are unconfigured", () =>
    Effect.gen(function* () {
      const stored = new Map<string, string>();
      const outbox = gatedOutbox(stored, (key) => twoCustomers.pairs.has(key));
      const world = yield* openDoor({}, { outbox }).pipe(armedWith(new Set(["forwarder.failsOpen"])));
      const before = yield* notServedRecords;
      const answer = yield* world.post("/v1/ingest/mixed", mixedBody);
      assert.strictEqual(answer.status, 200);
      assert.deepInclude(answer.json, { accepted: 3, unconfigured: 2, refusedCount: 0 });
      assert.deepStrictEqual(
        [...stored],
        [
          ["acme.mixed", line("acme", 1) + line("acme", 5)],
          ["globex.mixed", line("globex", 3)],
        ],
      );
      const [book] = world.ingest.door();
      const bytes = (text: string) => Buffer.byteLength(text);
      assert.deepInclude(book, {
        accepted: 3,
        unconfigured: 2,
        acceptedBytes: bytes(mixedBody) - bytes(line("stranger", 2) + line("other-one", 4)),
        unconfiguredBytes: bytes(line("stranger", 2) + line("other-one", 4)),
      });
      assert.strictEqual((yield* notServedRecords) - before, 2);
      const nobody = yield* world.post("/v1/ingest/mixed", line("stranger", 1));
      assert.deepInclude(nobody.json, { accepted: 0, unconfigured: 1 });
    }).pipe(Effect.scoped),
  );

  it.live("asks for the body again when the outbox refuses also what the push jobs in force want", () =>
    Effect.gen(function* () {
      const stored = new Map<string, string>();
      const world = yield* openDoor({}, { outbox: gatedOutbox(stored, () => false) });
      const answer = yield* world.post("/v1/ingest/mixed", mixedBody);
      assert.strictEqual(answer.status, 503);
      assert.strictEqual(answer.json.error.code, "configuration_changed");
      assert.strictEqual(answer.headers["retry-after"], "1");
      assert.strictEqual(stored.size, 0);
      assert.deepStrictEqual(world.ingest.door(), []);
    }).pipe(Effect.scoped),
  );
});

const notServedRecords = Effect.map(Metric.snapshot, (all) =>
  all.reduce(
    (sum, { id, state }) =>
      sum + (id === "spillway_ingest_not_served_records_total" ? (state as { count: number }).count : 0),
    0,
  ),
);
