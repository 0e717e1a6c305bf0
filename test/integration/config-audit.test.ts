import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import type { AuditNote } from "../../src/domain/audit-entry.ts";
import { openAuditLog } from "../../src/streams/audit-log.ts";
import { Nats } from "../../src/streams/nats.ts";
import { ask, customers, putAll, startNode, statusUntil } from "../support/config-nodes.ts";
import { type ConfigNodeOptions, server } from "../support/job-nodes.ts";

/** A node, and what its control process would have in the audit log. */
const start = Effect.fnUntraced(function* (url: string, name: string, options: ConfigNodeOptions = {}) {
  const notes: Array<AuditNote> = [];
  const audit = (note: AuditNote) => Effect.sync(() => notes.push(note));
  return { ...(yield* startNode(url, { audit, ...options, name })), notes };
});
type Started = Effect.Success<ReturnType<typeof start>>;

const who = { who: "eve", why: "a test" };
const names = customers(60);
const disabled = { enabled: false };
const enabledInForce = (node: Started, enabled = names.length) =>
  statusUntil(
    node,
    `${enabled} are in force and enabled`,
    (status) => status.inForce?.enabled === enabled && status.pending === 0 && status.rollout.state === "idle",
  );

/** Half of them at once, which the gate refuses. */
const disableHalf = Effect.fnUntraced(function* (node: Started) {
  yield* ask(node, { op: "freeze", ...who });
  yield* putAll(node, names.slice(0, 30), disabled);
  yield* statusUntil(node, "half of them are pending", ({ pending }) => pending === 30);
  yield* ask(node, { op: "unfreeze", ...who });
  return yield* statusUntil(node, "it is refused", ({ refusal }) => refusal !== null);
});
const whats = ({ notes }: Started) => notes.map(({ kind, what }) => `${kind} ${what}`);

describe("what the control process decides", () => {
  it.live(
    "is in the audit log: a refusal once, a halt, and how each rollout ended",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const steps = { rolloutCanaryPercent: 50, rolloutWatchMillis: 30_000 };
        const one = yield* start(url, "one", { limits: steps });
        yield* putAll(one, names);
        const first = yield* enabledInForce(one);
        const begun = [`config.ended configuration ${first.inForce!.number}: complete`];
        yield* statusUntil(one, "its end is noted", () => one.notes.length === 1);
        assert.deepStrictEqual(whats(one), begun);

        const { refusal } = yield* disableHalf(one);
        // The same is refused again and again, whoever asks.
        for (let i = 0; i < 2; i++) yield* ask(one, { op: "apply", accept: null, ...who });
        const accepted = (yield* ask(one, { op: "plan" })) as unknown as { readonly verdict: { snapshot: string } };
        yield* ask(one, { op: "apply", accept: accepted.verdict.snapshot, ...who });
        yield* statusUntil(one, "it is watched", ({ rollout }) => rollout.state === "watching");
        yield* ask(one, { op: "halt", who: "eve", why: "wait a moment" });
        yield* ask(one, { op: "rollback", to: null, accept: null, who: "eve", why: "rather not" });
        yield* statusUntil(one, "all is noted", () => one.notes.length === 4);
        const number = refusal!.number;
        assert.deepStrictEqual(whats(one), [
          ...begun,
          `config.refused configuration ${number}: refused`,
          `config.halted configuration ${number}: halted`,
          `config.ended configuration ${number}: rolledBack`,
        ]);
        const [, refused, halted, back] = one.notes;
        assert.match(refused!.detail, /^removed, removedOfDataset: 30 of 60 jobs .*hash [0-9a-f]{64}$/);
        assert.deepInclude(refused!, { who: "control:one", from: "", why: "" });
        assert.deepInclude(halted!, { why: "wait a moment" });
        assert.match(
          back!.detail,
          /^rather not; accepted: removed, removedOfDataset; asked for by eve; in force: \d+;/,
        );
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "is noted by the next one when it ends before it could, in order; the same refusal is no news to that",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        // The audit log does not answer the first one.
        const one = yield* start(url, "one", { audit: () => Effect.never });
        yield* putAll(one, names);
        yield* enabledInForce(one);
        yield* disableHalf(one);
        const two = yield* start(url, "two");
        yield* one.end;
        const again = yield* statusUntil(
          two,
          "it is refused again",
          (now) => now.leader === "two" && now.refusal !== null,
        );
        yield* ask(two, { op: "apply", accept: again.refusal!.snapshot, ...who });
        yield* statusUntil(two, "its end is noted", () =>
          two.notes.some(({ detail }) => detail.includes("accepted: removed")),
        );
        assert.deepStrictEqual(
          two.notes.map(({ kind, who: name }) => [kind, name]),
          [
            ["config.ended", "control:one"],
            ["config.refused", "control:one"],
            ["config.ended", "control:two"],
          ],
        );
        assert.isAbove(again.last!.number, Number(/\d+/.exec(two.notes[1]!.what)![0]), "made anew, from the same");
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "holds nothing up while the log takes nothing, and is in its chain when it does again",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const logs = yield* Layer.build(Nats.layer({ servers: url, name: "auditor" }));
        const log = yield* openAuditLog({ replicas: 1, nodeName: "one", auditBytesMax: 1_048_576 }).pipe(
          Effect.provideContext(Context.make(Nats, Context.get(logs, Nats))),
        );
        let isDown = true;
        let tried = 0;
        const audit = (note: AuditNote) =>
          Effect.suspend(() => {
            tried += 1;
            // In the log, and nobody is told so: it is noted twice.
            if (tried === 1) return Effect.andThen(log.append(note), Effect.fail({ detail: "scripted" }));
            return isDown ? Effect.fail({ detail: "scripted" }) : log.append(note);
          });
        const one = yield* start(url, "one", { audit });
        yield* putAll(one, names);
        yield* enabledInForce(one);
        for (const [i, name] of names.slice(0, 3).entries()) {
          yield* putAll(one, [name], disabled);
          yield* enabledInForce(one, names.length - i - 1);
        }
        assert.lengthOf((yield* log.list(0, 100)).entries, 1);
        isDown = false;
        const deadline = performance.now() + 20_000;
        while ((yield* log.list(0, 100)).entries.length < 5) {
          if (performance.now() > deadline) assert.fail("they were not noted");
          yield* Effect.sleep(50);
        }
        const { entries } = yield* log.list(0, 100);
        const numbers = entries.map(({ what }) => Number(/\d+/.exec(what)![0]));
        assert.strictEqual(numbers[0], numbers[1], "twice is fine, never is not");
        assert.deepStrictEqual(
          numbers.slice(1),
          [...new Set(numbers)].toSorted((a, b) => a - b),
        );
        assert.deepInclude(yield* log.verify(), { entries: 5, whole: true });
      }).pipe(Effect.scoped),
    60_000,
  );
});
