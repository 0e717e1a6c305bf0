import { assert, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { Owner } from "../../src/actors/owner.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { BufferCommands } from "../../src/api/buffers-port.ts";
import { deferred, delivered } from "../../src/domain/push-outcome.ts";
import { makeBufferCommands } from "../../src/node/buffer-commands.ts";
import { makeBuffersView } from "../../src/node/buffers-view.ts";
import { makeReceiptsView } from "../../src/node/receipts-view.ts";
import { makeOwnerLine } from "../../src/streams/buffer-commands.ts";
import { Nats } from "../../src/streams/nats.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerJobsOf,
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  limits,
  pairsOf,
  prepareStreams,
  quiet,
  ScriptedDestinations,
  someJobs,
  spansOf,
  until,
} from "../support/world.ts";

const partitions = 2;
/** A node that owns nothing: every command of its has to travel. */
const nobody = Layer.succeed(Owner, {
  owned: () => new Map(),
  windowBytes: () => 0,
  drain: Effect.void,
} as unknown as Owner["Service"]);

describeNats("commands to buffers", (startNats) => {
  it.live("reach the owner from another node: isolate, resume, skip with a receipt", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(2, partitions);
      const destinations = new ScriptedDestinations();
      let isDown = true;
      destinations.answer = ({ job }) =>
        Effect.succeed(
          isDown && job === "job-0"
            ? deferred("server-error", "503", { status: 503, ambiguous: false })
            : delivered(200),
        );
      const over = { retryBaseMillis: 20, retryMillisMax: 100 };
      const owning = layerOwner(jobs, partitions, destinations, "owner", over).pipe(
        Layer.provideMerge(layerJobsOf(jobs)),
        Layer.provideMerge(layerOutboxFor(jobs, partitions)),
        Layer.provideMerge(layerStores()),
        Layer.provideMerge(layerNats(url, "owner")),
      );
      const other = Layer.mergeAll(nobody, layerJobsOf(jobs), layerStores()).pipe(
        Layer.provideMerge(layerNats(url, "other")),
      );
      yield* Effect.provide(prepareStreams(partitions), other);
      const context = yield* Layer.build(owning);
      yield* Effect.provideContext(makeBufferCommands({ ...limits, partitions }), context);
      const view = yield* Effect.provideContext(makeBuffersView, context);
      const owner = yield* Effect.provideContext(Owner, context);
      const outbox = yield* Effect.provideContext(Outbox, context);
      const elsewhere = yield* Layer.build(other);
      const commands: BufferCommands["Service"] = yield* Effect.provideContext(
        makeBufferCommands({ ...limits, partitions }),
        elsewhere,
      );
      const isAdopted = () => [...owner.owned().values()].every(({ state }) => state.isAdopted);
      yield* until("the partitions are owned", () => owner.owned().size === partitions && isAdopted());

      const written = new WrittenLines();
      const pair = pairsOf(jobs)[0]!;
      yield* outbox.write(spansOf([written.next(pair, 50)]), undefined);
      const pushed = () => destinations.pushes.filter(({ job }) => job === "job-0").length;
      yield* until("it is tried in vain", () => pushed() > 1);

      const isolated = yield* commands.quarantine("job-0");
      assert.deepInclude(isolated, { job: "job-0", after: "quarantined", backlogRecords: 50, skipped: null });
      const shown = yield* view.get("job-0");
      assert.deepInclude(shown?.evidence, { error: "quarantined by a person" });
      assert.strictEqual(shown?.recent.at(-1)?.delivery, "quarantined");
      assert.deepStrictEqual(
        (yield* view.list({ state: "quarantined", limit: 10 })).buffers.map(({ job }) => job),
        ["job-0"],
      );
      const before = pushed();
      // The other job goes on: as long as one of its batches takes, the isolated one would have had several retries.
      yield* outbox.write(spansOf([written.next(pairsOf(jobs)[1]!, 5)]), undefined);
      yield* until("the other is delivered", () => destinations.deliveredRecords() === 5);
      assert.strictEqual(pushed(), before);

      const resumed = yield* commands.resume("job-0");
      assert.deepInclude(resumed, { before: "quarantined", backlogRecords: 50 });
      yield* until("it is tried again", () => pushed() > before);

      const refused = yield* Effect.flip(commands.skip("job-0", 10_000));
      assert.deepInclude(refused, { _tag: "CommandRefused", code: "cannot_skip" });
      const misread = yield* Effect.flip(commands.skip("job-0", "2026-11-23"));
      assert.deepInclude(misread, { _tag: "CommandRefused", code: "invalid_skip" });
      assert.strictEqual((yield* Effect.flip(commands.resume("nobody")))._tag, "BufferNotFound");
      const skipped = yield* commands.skip("job-0", "now");
      assert.deepInclude(skipped, { backlogRecords: 0 });
      assert.strictEqual(skipped.skipped?.records, 50);
      isDown = false;
      yield* outbox.write(spansOf([written.next(pair, 7)]), undefined);
      yield* until("what comes later is delivered", () => destinations.deliveredRecords() === 12);
      const after = yield* view.get("job-0");
      assert.deepStrictEqual([after?.unexplained.records, after?.books.shed.records], [0, 50]);

      const receipts = yield* Effect.provideContext(makeReceiptsView({ ...limits, partitions }), elsewhere);
      const page = yield* receipts.list({ job: "job-0", limit: 10 });
      assert.deepStrictEqual(
        page.receipts.map(({ reason, records }) => [reason, records]),
        [["skipped", 50]],
      );
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("say that no owner answers", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const context = yield* Layer.build(layerNats(url, "alone"));
      const line = yield* makeOwnerLine<never>({ answer: () => undefined, answerMillisMax: 300 }).pipe(
        Effect.provideContext(context),
      );
      const silent = yield* Effect.flip(line.ask(3, { job: "a", command: "resume" }));
      assert.match(silent.detail, /The owner of partition 3 does not answer/);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are bounded, and one that crashes is answered", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const here = yield* Layer.build(layerNats(url, "here"));
      const there = yield* Layer.build(layerNats(url, "there"));
      let waiting = 0;
      yield* makeOwnerLine<never>({
        answer: (_, { job }) =>
          job === "crash"
            ? Effect.die(new Error("a defect"))
            : Effect.suspend(() => {
                waiting += 1;
                return Effect.never;
              }),
        answerMillisMax: 5_000,
      }).pipe(Effect.provideContext(here));
      // The server must know of the subscription before the first question comes on the other connection.
      yield* Effect.promise(() => Context.get(here, Nats).control.flush());
      const line = yield* makeOwnerLine<never>({ answer: () => undefined, answerMillisMax: 5_000 }).pipe(
        Effect.provideContext(there),
      );
      const ask = (job: string) => line.ask(0, { job, command: "resume" });
      assert.strictEqual((yield* ask("crash"))._tag, "Unavailable");
      for (let i = 0; i < 16; i++) yield* Effect.forkScoped(Effect.ignore(ask("slow")));
      yield* until("all are being carried out", () => waiting === 16);
      assert.deepInclude(yield* ask("one too many"), { _tag: "Refused", code: "busy" });
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
