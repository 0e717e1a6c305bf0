import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect } from "effect";
import type { AuditNote } from "../../src/domain/audit-entry.ts";
import { openAuditLog } from "../../src/streams/audit-log.ts";
import { sealed } from "../../src/streams/audit-chain.ts";
import { Nats } from "../../src/streams/nats.ts";
import { watchStreamFill } from "../../src/streams/stream-fill.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats, until } from "../support/world.ts";

const options = { replicas: 1, nodeName: "n", auditBytesMax: 1_048_576 };
const note = (what: string): AuditNote => ({ kind: "request.asked", who: "ada", from: "", what, why: "", detail: "" });

describeNats("the audit log", (startNats) => {
  it.live("is one chain, whichever node appends, and can be read in pages", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const one = yield* openAuditLog(options);
        const two = yield* openAuditLog({ ...options, nodeName: "m" });
        assert.deepInclude(yield* one.verify(), { entries: 0, whole: true });
        const all = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? two : one).append(note(`change ${i}`)));
        const numbers = yield* Effect.all(all, { concurrency: "unbounded" });
        assert.deepStrictEqual(
          numbers.toSorted((a, b) => a - b),
          Array.from({ length: 30 }, (_, i) => i + 1),
        );
        const verdict = yield* two.verify();
        assert.deepInclude(verdict, { entries: 30, whole: true });
        const page = yield* one.list(0, 20);
        const rest = yield* one.list(page.next!, 20);
        assert.deepStrictEqual([page.entries.length, rest.entries.length, rest.next], [20, 10, undefined]);
        assert.strictEqual(rest.entries.at(-1)!.hash, verdict.head);
        assert.strictEqual(new Set([...page.entries, ...rest.entries].map(({ what }) => what)).size, 30);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("lets nothing be taken out, and shows what was put in by hand", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const log = yield* openAuditLog(options);
        for (const what of ["a", "b"]) yield* log.append(note(what));
        const { control } = yield* Nats;
        const manager = yield* Effect.promise(() => jetstreamManager(control));
        const attempts = [
          () => manager.streams.deleteMessage("AUDIT", 1),
          () => manager.streams.purge("AUDIT"),
          () => manager.streams.update("AUDIT", { deny_delete: false } as never),
        ];
        for (const attempt of attempts)
          assert.isTrue(
            yield* Effect.promise(() =>
              attempt().then(
                () => false,
                () => true,
              ),
            ),
          );
        assert.isTrue((yield* log.verify()).whole);
        // Whoever has the store's credentials can write to it, not without being seen.
        const { entries } = yield* log.list(0, 10);
        const forged = sealed({ ...entries[1]!, number: 3, what: "nothing at all", previous: entries[0]!.hash });
        yield* Effect.promise(() => control.request("audit.entry", JSON.stringify(forged), { timeout: 5_000 }));
        const verdict = yield* log.verify();
        assert.deepInclude(verdict, { entries: 2, whole: false, brokenAt: 3 });
        assert.match(verdict.problem!, /does not follow/);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("refuses more when it is full, and keeps what it has", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const log = yield* openAuditLog({ ...options, auditBytesMax: 4_096 });
        let failure: string | undefined;
        for (let i = 0; i < 40 && failure === undefined; i++) {
          failure = yield* log.append(note(`change ${i}`)).pipe(
            Effect.as(undefined),
            Effect.catch(({ reason }) => Effect.succeed(reason as string)),
          );
        }
        assert.strictEqual(failure, "full");
        assert.isTrue((yield* log.verify()).whole);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live(
    "does not go on behind an entry that nobody can read, says where the way out is, and shows a log made anew",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startNats();
        yield* Effect.gen(function* () {
          const log = yield* openAuditLog(options);
          for (const what of ["a", "b"]) yield* log.append(note(what));
          const { head } = yield* log.verify();
          yield* log.append(note("c"));
          assert.deepInclude(yield* log.verify(head), { entries: 3, whole: true, keptAt: 2 });
          const { control } = yield* Nats;
          yield* Effect.promise(() => control.request("audit.entry", "{", { timeout: 5_000 }));
          const refused = yield* Effect.flip(log.append(note("d")));
          assert.match(refused.detail, /last entry \(4\) is damaged.*docs\/OPERATING\.md/);
          assert.deepInclude(yield* log.verify(head), { whole: false, brokenAt: 4, keptAt: 2 });
          // The way out: all that is whole can be read and kept; then it is begun anew.
          assert.lengthOf((yield* log.list(0, 10)).entries, 3);
          const manager = yield* Effect.promise(() => jetstreamManager(control));
          yield* Effect.promise(() => manager.streams.delete("AUDIT"));
          const anew = yield* openAuditLog(options);
          yield* anew.append(note("d"));
          assert.strictEqual(yield* log.append(note("e")), 2, "all nodes go on, when one has opened it");
          assert.deepInclude(yield* anew.verify(head), { entries: 2, whole: true, keptAt: null });
        }).pipe(Effect.provide(layerNats(url)));
      }),
  );

  it.live("takes entries of a kind that only a newer node knows for what they are", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const log = yield* openAuditLog(options);
        yield* log.append(note("a"));
        const [first] = (yield* log.list(0, 1)).entries;
        const { control } = yield* Nats;
        const later = sealed({ ...first!, number: 2, kind: "weather.changed", previous: first!.hash });
        yield* Effect.promise(() => control.request("audit.entry", JSON.stringify(later), { timeout: 5_000 }));
        assert.strictEqual(yield* log.append(note("b")), 3);
        assert.deepInclude(yield* log.verify(), { entries: 3, whole: true });
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("tells how full it is, by its own bound", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const log = yield* openAuditLog({ ...options, auditBytesMax: 16_384 });
        for (let i = 0; i < 10; i++) yield* log.append(note(`change ${i}`));
        const shareNow = Effect.scoped(
          Effect.gen(function* () {
            const fillOf = yield* watchStreamFill(["NOWHERE", "AUDIT"]);
            yield* until("it is heard", () => fillOf("AUDIT") > 0);
            assert.strictEqual(fillOf("NOWHERE"), 0);
            return fillOf("AUDIT");
          }),
        );
        const share = yield* shareNow;
        assert.isTrue(share > 0.1 && share < 1, String(share));
        const { control } = yield* Nats;
        const manager = yield* Effect.promise(() => jetstreamManager(control));
        yield* Effect.promise(() => manager.streams.update("AUDIT", { max_bytes: 32_768 }));
        assert.approximately(yield* shareNow, share / 2, 0.001);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );
});
