import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect } from "effect";
import type { AuditNote } from "../../src/domain/audit-entry.ts";
import { openAuditLog } from "../../src/streams/audit-log.ts";
import { sealed } from "../../src/streams/audit-chain.ts";
import { Nats } from "../../src/streams/nats.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats } from "../support/world.ts";

const options = { replicas: 1, nodeName: "n", auditBytesMax: 1_048_576 };
const note = (what: string): AuditNote => ({ kind: "request.asked", who: "ada", from: "", what, why: "", detail: "" });

describeNats("the audit log", (startNats) => {
  it.live("is one chain, whichever node appends, and can be read in pages", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const one = yield* openAuditLog(options);
        const two = yield* openAuditLog({ ...options, nodeName: "m" });
        assert.deepInclude(yield* one.verify, { entries: 0, whole: true });
        const all = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? two : one).append(note(`change ${i}`)));
        const numbers = yield* Effect.all(all, { concurrency: "unbounded" });
        assert.deepStrictEqual(
          numbers.toSorted((a, b) => a - b),
          Array.from({ length: 30 }, (_, i) => i + 1),
        );
        const verdict = yield* two.verify;
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
        assert.isTrue((yield* log.verify).whole);
        // Whoever has the store's credentials can write to it, not without being seen.
        const { entries } = yield* log.list(0, 10);
        const forged = sealed({ ...entries[1]!, number: 3, what: "nothing at all", previous: entries[0]!.hash });
        yield* Effect.promise(() => control.request("audit.entry", JSON.stringify(forged), { timeout: 5_000 }));
        const verdict = yield* log.verify;
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
        assert.isTrue((yield* log.verify).whole);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );
});
