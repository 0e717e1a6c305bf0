import { assert, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { Owner } from "../../src/actors/owner.ts";
import { Backlogs } from "../../src/actors/ports/backlogs.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { deferred, delivered } from "../../src/domain/push-outcome.ts";
import { layerBacklogs } from "../../src/streams/backlog-reports.ts";
import { openAdmission, openDoor } from "../forwarder/door-world.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  pairsOf,
  prepareStreams,
  quiet,
  ScriptedDestinations,
  someJobs,
  spansOf,
  until,
} from "../support/world.ts";

const partitions = 2;

describeNats("quotas of backlogs", (startNats) => {
  it.live("reach a forwarder on another connection, end when the backlog drains, and touch nobody else", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(4, partitions);
      const [dead, ...others] = pairsOf(jobs);
      const destinations = new ScriptedDestinations();
      let isDead = true;
      destinations.answer = ({ job }) =>
        Effect.succeed(
          isDead && job === "job-0"
            ? deferred("server-error", "503", { status: 503, ambiguous: false })
            : delivered(200),
        );
      const quota = {
        backlogBytesPerCustomerMax: 40_000,
        bufferClosedBatchesMax: 1,
        retryBaseMillis: 10,
        retryMillisMax: 50,
      };
      const owner = layerOwner(jobs, partitions, destinations, "me", quota).pipe(
        Layer.provide(layerBacklogs({ partitions })),
        Layer.provide(layerNats(url, "owner")),
      );
      const door = layerOutboxFor(jobs, partitions).pipe(
        Layer.provideMerge(layerBacklogs({ partitions })),
        Layer.provideMerge(layerStores()),
        Layer.provideMerge(layerNats(url, "door")),
      );
      yield* Effect.gen(function* () {
        yield* prepareStreams(partitions);
        const backlogs = yield* Backlogs;
        assert.isUndefined(backlogs.latest(dead!.partition));
        yield* Layer.build(owner);
        const refused = () => [0, 1].flatMap((p) => backlogs.latest(p)?.report.refusing ?? []);
        yield* until("both partitions have reported", () => [0, 1].every((p) => backlogs.latest(p) !== undefined));
        assert.deepStrictEqual(refused(), []);

        const outbox = yield* Outbox;
        const written = new WrittenLines();
        for (let i = 0; i < 20; i++) {
          const pieces = others.map((pair) => written.next(pair, 10));
          yield* outbox.write(spansOf([written.next(dead!, 500), ...pieces]), undefined);
        }
        yield* until("the dead destination's pair is refused", () => refused().length > 0);
        assert.deepStrictEqual(refused(), [dead!.key]);
        const { epoch, logLast } = backlogs.latest(dead!.partition)!.report;
        assert.isAtLeast(epoch, 1);
        assert.isAtLeast(logLast, 1);

        isDead = false;
        yield* until("it is let in again", () => refused().length === 0);
        yield* until("everything is scanned", () =>
          [0, 1].every((p) => backlogs.latest(p)!.report.unscannedBytes === 0),
        );
        yield* until("everything is delivered", () => destinations.deliveredRecords() === 20 * (500 + 3 * 10));
      }).pipe(Effect.provide(door));
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});

describeNats("records without a push job (I3)", (startNats) => {
  it.live("leave nothing behind: forty times as many unknown customers, and the logs have not grown by a byte", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(100, partitions);
      const destinations = new ScriptedDestinations();
      const layer = layerOwner(jobs, partitions, destinations, "me").pipe(
        Layer.provideMerge(layerOutboxFor(jobs, partitions)),
        Layer.provideMerge(layerStores()),
        Layer.provideMerge(layerNats(url, "node")),
      );
      yield* Effect.gen(function* () {
        const log = yield* Log;
        const owner = yield* Owner;
        const seen = new Set<string>();
        const admission = { ...openAdmission, see: ({ key }: { readonly key: string }) => void seen.add(key) };
        const door = yield* openDoor({}, { admission, outbox: yield* Outbox });
        door.jobs.set = jobs;
        const post = (customers: ReadonlyArray<string>, dataset = "http_requests") =>
          door.post(
            `/v1/ingest/${dataset}?Spillway-Customer-Field=c`,
            customers.map((customer, n) => `{"c":"${customer}","n":${n}}\n`).join(""),
          );
        const logs = () =>
          Effect.forEach([0, 1], (partition) =>
            Effect.map(log.describe(partition), (info) => ({ ...info, nowMillis: undefined })),
          );
        const buffers = () => [...owner.owned().values()].reduce((sum, { state }) => sum + state.buffers.size, 0);
        const isAdopted = () => [...owner.owned().values()].every(({ state }) => state.isAdopted);
        yield* until("the partitions are owned", () => owner.owned().size === partitions && isAdopted());

        const before = yield* logs();
        const strangers = Array.from({ length: 4_000 }, (_, i) => `stranger-${i}`);
        for (let round = 0; round < 5; round++) {
          const answer = yield* post(strangers);
          assert.deepStrictEqual([answer.status, answer.json.unconfigured], [200, 4_000]);
        }
        for (let i = 0; i < 300; i++) yield* post(strangers.slice(0, 5), `dataset-${i}`);
        assert.deepStrictEqual(yield* logs(), before);
        assert.strictEqual(buffers(), 0);
        assert.strictEqual(seen.size, 0);
        assert.isAtMost(door.ingest.door().length, 102);

        const answer = yield* post([...strangers.slice(0, 1_000), "customer-7"]);
        assert.deepStrictEqual([answer.json.accepted, answer.json.unconfigured], [1, 1_000]);
        assert.deepStrictEqual([...seen], ["customer-7.http_requests"]);
        const grown = (yield* logs()).reduce((sum, { lastSequence }) => sum + lastSequence, 0);
        // At least: a tick may follow.
        assert.isAtLeast(grown - before.reduce((sum, { lastSequence }) => sum + lastSequence, 0), 1);
      }).pipe(Effect.provide(Layer.provideMerge(layer, Layer.effectDiscard(prepared(url)))));
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});

/** Streams before anybody owns them. */
const prepared = (url: string) =>
  prepareStreams(partitions).pipe(Effect.provide(layerStores().pipe(Layer.provideMerge(layerNats(url, "setup")))));
