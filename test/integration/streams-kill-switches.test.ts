import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { assert, it } from "@effect/vitest";
import { Context, Effect, Layer, Logger, References, type Scope } from "effect";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KillSwitches } from "../../src/actors/ports/kill-switches.ts";
import { openDirectSwitches } from "../../src/control/direct-switches.ts";
import { noteEndedSwitches } from "../../src/node/note-ended-switches.ts";
import { openAuditLog } from "../../src/streams/audit-log.ts";
import { KillSwitchStore, layerKillSwitches } from "../../src/streams/kill-switches.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { auditSubject, controlStream, controlSubjects } from "../../src/streams/subjects.ts";
import { runSpillway } from "../cli/run-spillway.ts";
import { aSwitch } from "../support/scripted-switches.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats, quiet, until } from "../support/world.ts";
import { removeTree } from "../support/remove-tree.ts";

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-switches-"))),
  (path) => Effect.promise(() => removeTree(path)),
);

/** The switches of one node. */
const start = Effect.fnUntraced(function* (
  url: string,
  dataDirectory: string,
  killSwitchesMax = 100,
): Effect.fn.Return<Node, unknown, Scope.Scope> {
  const options = { dataDirectory, nodeName: "test", replicas: 1, killSwitchesMax };
  const context = yield* Layer.build(layerKillSwitches(options).pipe(Layer.provideMerge(layerNats(url))));
  const store = Context.get(context, KillSwitchStore);
  const view = Context.get(context, KillSwitches);
  return {
    store,
    nats: Context.get(context, Nats),
    ids: () =>
      view
        .current()
        .all.map(({ id }) => id)
        .toSorted(),
  };
});

interface Node {
  readonly store: KillSwitchStore["Service"];
  readonly nats: Nats["Service"];
  readonly ids: () => ReadonlyArray<string>;
}

/** As `until`, for what has to be asked. */
const untilAnswered = <E, R>(what: string, ask: Effect.Effect<boolean, E, R>, millis = 15_000) =>
  ask.pipe(
    Effect.tap((isSo) => (isSo ? Effect.void : Effect.sleep(50))),
    Effect.repeat({ until: (isSo) => isSo }),
    Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.die(new Error(`not in ${millis} ms: ${what}`)) }),
  );

const acme = aSwitch("customer", "acme");
const author = { who: "somebody", why: "done" };

/** Past our own code, as another tool would do it. */
const foreignPut = ({ nats }: Node, id: string, text: string) =>
  attempt("kv", () => jetstream(nats.control).publish(`$KV.switches.${id}`, text));

describeNats("kill switches", (startNats) => {
  it.live("are in force on every node within two seconds, and gone as fast", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const [one, other] = [yield* start(url, yield* folder), yield* start(url, yield* folder)];
      yield* one.store.put(acme, false);
      assert.deepStrictEqual(one.ids(), ["customer-acme"]);
      yield* until("the other node knows it", () => other.ids().length === 1, 2_000);
      assert.deepStrictEqual(other.store.list(), [acme]);
      const third = yield* start(url, yield* folder);
      assert.deepStrictEqual(third.ids(), ["customer-acme"], "one that starts later knows it from the start");
      assert.deepStrictEqual(yield* other.store.remove(acme.id, author), { switch: acme, applied: true });
      assert.deepStrictEqual(other.ids(), []);
      yield* until("it is gone", () => one.ids().length + third.ids().length === 0, 2_000);
      assert.isUndefined(yield* one.store.remove(acme.id, author));
      // Who and why stays in the store.
      const kv = yield* attempt("kv", () => new Kvm(one.nats.control).open("switches"));
      const entry = yield* attempt("kv", () => kv.get(acme.id));
      assert.deepInclude(entry!.json<{ readonly removed: object }>().removed, author);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are refused twice, replaced on demand, and bounded", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const { ids, store } = yield* start(url, yield* folder, 2);
      yield* store.put(acme, false);
      assert.strictEqual((yield* Effect.flip(store.put(acme, false))).reason, "exists");
      yield* store.put({ ...acme, stops: "both" }, true);
      assert.strictEqual(store.list()[0]?.stops, "both");
      yield* store.put(aSwitch("customer", "globex"), false);
      const error = yield* Effect.flip(store.put(aSwitch("customer", "initech"), false));
      assert.deepInclude(error, { reason: "tooMany" });
      assert.match(error.detail, /killSwitchesMax/);
      yield* store.remove(acme.id, author);
      yield* store.put(aSwitch("customer", "initech"), false);
      assert.deepStrictEqual(ids(), ["customer-globex", "customer-initech"]);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("stay in force when their entry cannot be read, and can still be taken away", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const node = yield* start(url, yield* folder);
      yield* node.store.put(acme, false);
      for (const text of ["{", "", JSON.stringify({ on: false })]) yield* foreignPut(node, acme.id, text);
      yield* foreignPut(node, "customer-globex", JSON.stringify({ on: true, switch: acme }));
      // A good one behind them: then all of them were read.
      yield* node.store.put(aSwitch("everything", ""), false);
      assert.deepStrictEqual(node.ids(), ["customer-acme", "everything"]);
      const later = yield* start(url, yield* folder);
      assert.deepStrictEqual(later.ids(), ["customer-acme", "everything"], "history has the last good entry");
      assert.deepStrictEqual(yield* node.store.remove(acme.id, author), { switch: acme, applied: true });
      yield* until("it is gone", () => later.ids().length === 1, 2_000);
      // An operator with NATS's own tool.
      const kv = yield* attempt("kv", () => new Kvm(node.nats.control).open("switches"));
      yield* attempt("kv", () => kv.delete("everything"));
      yield* until("that is gone, too", () => node.ids().length + later.ids().length === 0, 2_000);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("end by themselves, in the store as well, and may be thrown again", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const [one, other] = [yield* start(url, yield* folder), yield* start(url, yield* folder)];
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis);
      const ending = { ...acme, sinceMillis: now, untilMillis: now + 1_500 };
      yield* one.store.put(ending, false);
      yield* until("the other knows it", () => other.ids().length === 1, 1_400);
      const audit = yield* Effect.provideContext(
        openAuditLog({ replicas: 1, nodeName: "test", auditBytesMax: 1_048_576 }),
        Context.make(Nats, one.nats),
      );
      for (const { store } of [one, other]) {
        yield* Effect.provideService(noteEndedSwitches(audit), KillSwitchStore, store);
      }
      yield* until("its time is over", () => one.ids().length + other.ids().length === 0, 5_000);
      const noted = Effect.map(audit.list(0, 10), ({ entries }) => entries.map(({ kind, what }) => `${kind} ${what}`));
      yield* untilAnswered(
        "it is noted",
        Effect.map(noted, (all) => all.length > 0),
      );
      // Both have had their turn at it: the other one's switch is told of only once.
      yield* one.store.put(aSwitch("customer", "globex"), false);
      yield* until("the other goes on", () => other.ids().length === 1, 2_000);
      assert.deepStrictEqual(yield* noted, ["switch.ended kill switch for customer acme: its time was over"]);
      yield* one.store.remove("customer-globex", author);
      yield* one.store.put(acme, false);
      assert.deepStrictEqual(one.ids(), ["customer-acme"]);
      yield* until("the other knows that, too", () => other.ids().length === 1, 2_000);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are kept on a node's disk: a bucket that is gone, and a server that is silent, change nothing", () =>
    Effect.gen(function* () {
      const nats = yield* startNats();
      const directory = yield* folder;
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { nats: connections, store } = yield* start(nats.url, directory);
          yield* store.put(acme, false);
          const manager = yield* attempt("manage", () => jetstreamManager(connections.control));
          yield* attempt("manage", () => manager.streams.delete("KV_switches"));
        }),
      );
      const again = yield* start(nats.url, directory);
      assert.deepStrictEqual(again.ids(), ["customer-acme"]);
      // The store that has lost it takes its removal all the same.
      yield* again.store.remove(acme.id, author);
      assert.deepStrictEqual(again.ids(), []);
      yield* again.store.put(acme, false);

      // Connected, and then nothing answers any more: neither to those who know nor to one that starts.
      const third = yield* Effect.scoped(
        Effect.gen(function* () {
          const context = yield* Layer.build(layerNats(nats.url, "third"));
          yield* Effect.promise(() => nats.pause());
          const options = { dataDirectory: directory, nodeName: "third", replicas: 1, killSwitchesMax: 10 };
          const started = performance.now();
          const built = yield* Layer.build(layerKillSwitches(options)).pipe(Effect.provideContext(context));
          const tookMillis = performance.now() - started;
          const ids = Context.get(built, KillSwitches).current().all;
          const failed = yield* Effect.flip(Context.get(built, KillSwitchStore).put(aSwitch("everything", ""), false));
          yield* Effect.promise(() => nats.resume());
          return { tookMillis, ids, failed };
        }),
      );
      assert.deepStrictEqual(third.ids, [acme]);
      assert.strictEqual(third.failed.reason, "unavailable");
      assert.isBelow(third.tookMillis, 5_000, "a start does not wait for ever");
      assert.deepStrictEqual(again.ids(), ["customer-acme"]);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("can be thrown and taken away again, without a restart, after their bucket was lost", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const [one, other] = [yield* start(url, yield* folder), yield* start(url, yield* folder)];
      yield* one.store.put(acme, false);
      yield* until("the other knows it", () => other.ids().length === 1, 2_000);
      const manager = yield* attempt("manage", () => jetstreamManager(one.nats.control));
      yield* attempt("manage", () => manager.streams.delete("KV_switches"));
      const globex = aSwitch("customer", "globex");
      // Whether there is a bucket is looked at every five seconds.
      yield* untilAnswered("the bucket is there again", Effect.isSuccess(one.store.put(globex, true)), 15_000);
      yield* until("the other knows that, too", () => other.ids().length === 2, 8_000);
      assert.deepStrictEqual(one.ids(), ["customer-acme", "customer-globex"], "what was known stays in force");
      for (const { id } of [acme, globex]) yield* one.store.remove(id, author);
      yield* until("all go on", () => one.ids().length + other.ids().length === 0, 2_000);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are stored and said not to be in force yet by a node that cannot read them", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const node = yield* start(url, yield* folder);
      assert.isTrue(yield* node.store.put(acme, false));
      const manager = yield* attempt("manage", () => jetstreamManager(node.nats.control));
      // Written to and asked for its newest entry it still can be.
      yield* attempt("manage", () => manager.streams.update("KV_switches", { allow_direct: false }));
      assert.isFalse(yield* node.store.put({ ...acme, stops: "both" }, true));
      assert.strictEqual(node.store.list()[0]?.stops, "delivery");
      assert.deepInclude(yield* node.store.remove(acme.id, author), { applied: false });
      assert.deepStrictEqual(node.ids(), [acme.id]);
      yield* attempt("manage", () => manager.streams.update("KV_switches", { allow_direct: true }));
      yield* until("it goes on", () => node.ids().length === 0, 5_000);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are thrown without a node although the audit log cannot be opened, and that is said", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const node = yield* start(url, yield* folder);
      const manager = yield* attempt("manage", () => jetstreamManager(node.nats.control));
      // There is a Spillway here, and somebody else has the audit log's subject.
      for (const [name, subject] of [
        [controlStream(0), controlSubjects(0)],
        ["OTHERS", auditSubject],
      ] as const) {
        yield* attempt("manage", () => manager.streams.add({ name, subjects: [subject] }));
      }
      const said: Array<string> = [];
      const logger = Logger.make(({ message }) => void said.push(JSON.stringify(message)));
      yield* Effect.gen(function* () {
        const direct = yield* openDirectSwitches({ servers: url, token: undefined, from: "here" });
        yield* direct.add(acme, false);
        yield* until("the node knows it", () => node.ids().length === 1, 2_000);
        assert.deepStrictEqual(yield* direct.list, [acme]);
        assert.deepStrictEqual(yield* direct.remove(acme.id, author), acme);
      }).pipe(Effect.provide([Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Info")]));
      yield* until("it goes on", () => node.ids().length === 0, 2_000);
      assert.isTrue(said.some((line) => line.includes("not in the audit log") && line.includes("kill add")));
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.live("are not thrown at a NATS that has no Spillway: that would look like success", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const ran = yield* runSpillway(["kill", "add", "everything", "--nats", url, "--force", "--yes"]);
      assert.deepStrictEqual([ran.code, ran.stdout], [1, ""], ran.stderr);
      assert.match(ran.stderr, /There is no Spillway on NATS at .*: nothing was changed/);
      const { control } = Context.get(yield* Layer.build(layerNats(url)), Nats);
      const manager = yield* attempt("manage", () => jetstreamManager(control));
      assert.deepStrictEqual(yield* attempt("manage", () => manager.streams.names().next()), []);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
