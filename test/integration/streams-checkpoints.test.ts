import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import type { Receipt } from "../../src/actors/ports/checkpoints.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { decodeRegister } from "../../src/streams/checkpoint-codec.ts";
import { seedRegister } from "../../src/streams/checkpoint-store.ts";
import { Nats } from "../../src/streams/nats.ts";
import { byJob, checkpointOf, claimAs, inspect, rowOf, rows, withStores } from "../support/nats-checkpoints.ts";
import { describeNats } from "../support/nats-variants.ts";
import { until } from "../support/world.ts";

describeNats("checkpoints", (startNats) => {
  it.live("gives the next owner the register and the rows as they were written, one epoch later", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const first = yield* claimAs("first");
          assert.deepInclude(first.register, { owner: "first", epoch: 1, scan: 0 });
          assert.deepStrictEqual([...first.rows], []);
          const writers = { "0123456789abcdef": { number: 9, records: 900, sequence: 12 } };
          const written = { ...first.register, scan: 12, writers, duplicates: [3, 4], lowWater: 2, snapshot: 8 };
          const receipt: Receipt = {
            customer: "c",
            dataset: "d",
            job: "job-1",
            firstSequence: 1,
            lastSequence: 9,
            records: 5,
            bytes: 50,
            reason: "shed",
            millis: 1,
          };
          yield* first.write({ register: written, rows: rows(3), receipts: [receipt] });
          yield* first.write({ register: { ...written, scan: 13 }, rows: [rowOf(1, { cursor: 99 })], receipts: [] });
          const second = yield* claimAs("second");
          assert.deepInclude(second.register, {
            owner: "second",
            epoch: 2,
            scan: 13,
            writers,
            duplicates: [3, 4],
            lowWater: 2,
            snapshot: 8,
          });
          assert.deepStrictEqual(byJob([...second.rows]), [rowOf(0), rowOf(1, { cursor: 99 }), rowOf(2)]);
          assert.deepStrictEqual((yield* inspect).receipts, [receipt]);
        }),
      );
    }),
  );

  it.live("writes more rows than a batch takes in several, and moves what depends on all of them in the last", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const { read } = yield* Nats;
          const claim = yield* claimAs("me");
          yield* claim.write(checkpointOf(claim, 5));
          // What goes over the wire, in its order: the register of each batch precedes its rows.
          const seen: Array<string> = [];
          read.subscribe("ctl.000.>", {
            callback: (_, { data, subject }) => {
              const register = subject === "ctl.000.register" ? decodeRegister(data) : undefined;
              seen.push(
                register === undefined
                  ? "row"
                  : `scan ${register.scan}, low water ${register.lowWater}, ${register.owner}`,
              );
            },
          });
          yield* Effect.promise(() => read.flush());
          const next = checkpointOf(claim, 2_600, { rows: rows(2_500) });
          yield* claim.write({ ...next, register: { ...next.register, owner: null } });
          yield* until("all is seen", () => seen.length >= 2_503);
          const registers = seen.filter((each) => each !== "row");
          assert.deepStrictEqual(registers, [
            "scan 5, low water 5, me",
            "scan 5, low water 5, me",
            "scan 2600, low water 2600, null",
          ]);
          const batches = seen
            .join(" ")
            .split(/scan \d+, low water \d+, \w+/)
            .slice(1);
          assert.deepStrictEqual(
            batches.map((each) => each.split("row").length - 1),
            [999, 999, 502],
          );
          const stored = yield* inspect;
          assert.deepStrictEqual(stored.rows, byJob(rows(2_500)));
          assert.deepInclude(stored.register, { scan: 2_600, owner: null });
        }),
      );
    }),
  );

  it.live("refuses the write of an owner that was succeeded, and nothing of it is stored", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const stale = yield* claimAs("stale");
          yield* stale.write(checkpointOf(stale, 5, { rows: rows(3) }));
          // The same name, as two nodes that were given one: the epoch decides, not the name.
          const valid = yield* claimAs("stale");
          const before = yield* inspect;
          for (const many of [1, 1_500]) {
            const refusal = yield* stale
              .write(checkpointOf(stale, 50, { rows: rows(many, { cursor: 77 }) }))
              .pipe(Effect.flip);
            assert.strictEqual(refusal._tag, "Fenced");
            assert.deepStrictEqual(yield* inspect, before);
          }
          yield* valid.write(checkpointOf(valid, 6, { rows: rows(3, { cursor: 8 }) }));
          const again = yield* stale.write(checkpointOf(stale, 60)).pipe(Effect.flip);
          assert.strictEqual(again._tag, "Fenced");
          const after = yield* inspect;
          assert.deepInclude(after.register, { scan: 6, epoch: 2 });
          assert.deepStrictEqual(after.rows, rows(3, { cursor: 8 }));
        }),
      );
    }),
  );

  it.live("lets one of several claimants win an epoch", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const claims = yield* Effect.forEach(["a", "b", "c", "d"], (owner) => Effect.result(claimAs(owner)), {
            concurrency: 4,
          });
          const epochs = claims.flatMap((claim) => (claim._tag === "Success" ? [claim.success.register.epoch] : []));
          assert.strictEqual(new Set(epochs).size, epochs.length);
          assert.isAtLeast(epochs.length, 1);
          for (const claim of claims) {
            if (claim._tag === "Failure") assert.strictEqual(claim.failure._tag, "Fenced");
          }
          const last = claims.find(
            (claim) => claim._tag === "Success" && claim.success.register.epoch === Math.max(...epochs),
          );
          const { register } = yield* inspect;
          assert.strictEqual(last?._tag === "Success" ? last.success.register.owner : undefined, register?.owner);
        }),
      );
    }),
  );

  it.live("seeds a register once, and never over one that is in use", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const info = yield* log.describe(0);
          const seeded = (yield* inspect).register;
          assert.deepInclude(seeded, { owner: null, epoch: 0, scan: 0, incarnation: info.incarnation });
          yield* seedRegister(0, info, 2_000);
          assert.deepStrictEqual((yield* inspect).register, seeded);
          const claim = yield* claimAs("me");
          yield* seedRegister(0, info, 2_000);
          assert.deepInclude((yield* inspect).register, { owner: "me", epoch: 1 });
          yield* claim.write(checkpointOf(claim, 1));
        }),
      );
    }),
  );
});
