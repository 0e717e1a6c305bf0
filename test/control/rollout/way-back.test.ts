import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { answerCommand } from "../../../src/control/rollout/commands.ts";
import { noFaults, type ControlOptions } from "../../../src/control/rollout/control-options.ts";
import { tell } from "../../../src/control/rollout/deeds.ts";
import { openDesk } from "../../../src/control/rollout/desk.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { point } from "../../../src/control/rollout/point.ts";
import { retellIfDue } from "../../../src/control/rollout/retell.ts";
import type { ConfigStatus } from "../../../src/domain/config-report.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { limits } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";
import { refOf, snapshotOf } from "./snapshots.ts";

const at = { nowMillis: 1_000 };
const who = { who: "person", why: "" };

/** A rollout from the first to the second snapshot that a share of the customers has; others are stored beside them. */
const watched = Effect.gen(function* () {
  const scripted = new ScriptedConfigStore();
  const [first, second, older] = [
    yield* snapshotOf(11, { customers: 40, revision: 1 }),
    yield* snapshotOf(12, { customers: 40, revision: 2 }),
    yield* snapshotOf(10, { customers: 30, revision: 1 }),
  ];
  const stored = new Map<string, Snapshot>([first, second, older].map((each) => [each.hash, each]));
  let reads = 0;
  const options = {
    node: "one",
    limits,
    store: scripted.store,
    faults: noFaults,
    stored: { pending: 0, isPending: () => false, pendingUpTo: () => 0 },
    cell: () => "cell",
    current: () => undefined,
    fetch: ({ hash, number }) =>
      Effect.suspend(() => {
        reads += 1;
        const found = stored.get(hash);
        return found === undefined ? Effect.fail(`snapshot ${number}: its manifest is missing`) : Effect.succeed(found);
      }),
    hashOf: (number) =>
      Effect.sync(() => [...stored.values()].find(({ manifest }) => manifest.number === number)?.hash),
    ended: () => Effect.void,
    // As after a change of the settings: no job of any snapshot may be served any more.
    problemOf: () => "its destination is inside",
  } as Pick<ControlOptions, "fetch" | "hashOf"> as ControlOptions;
  const open = openDesk(options, new NodeReports());
  yield* scripted.store.point({ ...refOf(first), accepted: false }, 0);
  const begun = yield* open;
  begun.state = { ...begun.state, highest: 20 };
  begun.machine = { ...begun.machine, value: "gating", context: { ...begun.machine.context, target: refOf(second) } };
  yield* tell(begun, { type: "gate.passed", small: false, ...at });
  yield* tell(begun, { type: "nodes.adopted", ...at });
  assert.strictEqual(begun.machine.value, "watching");
  return { first, second, older, open, options, readsSoFar: () => reads, scripted, stored };
});

type Status = { readonly done: ConfigStatus };

describe("applying while a rollout is under way", () => {
  it.effect("is to follow that one, unless it asks for anything that this one is not", () =>
    Effect.gen(function* () {
      const { open, scripted, second } = yield* watched;
      const desk = yield* open;
      const apply = { op: "apply", accept: null, ...who };
      const { revision } = scripted.states.get("rollout")!;
      const { done } = (yield* answerCommand(desk, apply)) as Status;
      assert.deepStrictEqual(done.begun, refOf(second));
      assert.strictEqual(done.rollout.state, "watching");
      const others = [{ accept: "c".repeat(64) }, { canaryNodes: ["one"] }];
      for (const other of others) assert.property(yield* answerCommand(desk, { ...apply, ...other }), "conflict");
      desk.state = { ...desk.state, frozen: { who: "test", why: "", atMillis: 0 } };
      assert.match(JSON.stringify(yield* answerCommand(desk, apply)), /is frozen by test/);
      assert.match(JSON.stringify(yield* answerCommand(desk, { ...apply, unfreeze: true })), /is on its way/);
      assert.strictEqual(scripted.states.get("rollout")!.revision, revision, "nothing has changed");
    }),
  );
});

describe("the way back", () => {
  it.effect("is open though what was in force could not go out now, and ends when nodes have taken it", () =>
    Effect.gen(function* () {
      const { first, open, scripted } = yield* watched;
      const desk = yield* open;
      yield* tell(desk, { type: "rollout.rollBack", reason: "errors up", ...at });
      const next = yield* open;
      assert.strictEqual(next.machine.value, "returning");
      assert.isNull(next.state.last, "not before nodes have it");
      assert.deepInclude(next.state.frozen, { who: "spillway", why: "errors up" });
      const told = scripted.states.get("pointer")!.value as { readonly number: number; readonly accepted: boolean };
      assert.deepInclude(told, { ...next.state.published, accepted: true });
      assert.isAbove(told.number, first.manifest.number);
      yield* tell(next, { type: "nodes.adopted", ...at });
      assert.deepInclude((yield* open).state.last, { result: "rolledBack", inForce: told.number });
    }),
  );

  it.effect("that a person has taken says so, after a crash as well; what goes back by itself stays that", () =>
    Effect.gen(function* () {
      const { open } = yield* watched;
      const rollback = { op: "rollback", to: null, accept: null, ...who, why: "bad region" };
      yield* answerCommand(yield* open, rollback);
      const next = yield* open;
      assert.deepInclude(next.state.frozen, { who: "person", why: "bad region" });
      yield* tell(next, { type: "nodes.adopted", ...at });
      const after = yield* open;
      assert.deepInclude(after.state.last, { result: "rolledBack", takenBackBy: "person" });
      assert.isNull(after.state.takenBackBy, "the next one is another");

      const { open: again } = yield* watched;
      const alone = yield* again;
      yield* tell(alone, { type: "node.refused", reason: "one refuses it", ...at });
      yield* answerCommand(alone, rollback);
      assert.deepInclude(alone.state.frozen, { who: "spillway" });
      yield* tell(alone, { type: "nodes.adopted", ...at });
      assert.notProperty(alone.state.last, "takenBackBy");
    }),
  );

  it.effect("that cannot be read is seen in the status, and a person chooses another one", () =>
    Effect.gen(function* () {
      const { first, older, open, scripted, stored } = yield* watched;
      const missing = stored.get(first.hash)!;
      stored.delete(first.hash);
      const failure = yield* Effect.flip(tell(yield* open, { type: "rollout.rollBack", reason: "errors up", ...at }));
      assert.match(String(failure), /snapshot 11: its manifest is missing/);
      const desk = yield* open;
      assert.strictEqual(desk.machine.value, "rollingBack");
      const to = older.manifest.number;
      const rollback = { op: "rollback", to, accept: null, ...who };
      assert.property(yield* answerCommand(desk, rollback), "conflict", "the way back may still be found");
      desk.trouble = { why: String(failure), sinceMillis: 0 };
      const { done } = (yield* answerCommand(desk, { op: "status" })) as Status;
      assert.deepInclude(done.trouble, { why: String(failure) });
      assert.deepStrictEqual(yield* answerCommand(desk, { ...rollback, to: 4_711 }), { notFound: 4_711 });
      yield* answerCommand(desk, rollback);
      const next = yield* open;
      assert.strictEqual(next.machine.value, "returning");
      const told = scripted.states.get("pointer")!.value as { readonly number: number };
      assert.isAbove(told.number, 20, "no number is used twice");
      assert.strictEqual(next.state.highest, told.number);
      stored.set(missing.hash, missing);
    }),
  );

  it.effect("is frozen as well when nothing had been told yet", () =>
    Effect.gen(function* () {
      const { open, scripted, first } = yield* watched;
      // As if the process had died before it told anybody: the state is older than the pointer.
      const { revision } = scripted.states.get("pointer")!;
      scripted.states.set("pointer", { value: { ...refOf(first), accepted: false }, revision });
      const desk = yield* open;
      yield* tell(desk, { type: "rollout.rollBack", reason: "no", ...at });
      assert.deepStrictEqual([desk.machine.value, desk.state.frozen?.who], ["idle", "spillway"]);
    }),
  );
});

describe("a control process that was deposed", () => {
  it.effect("tells nodes nothing, whoever leads now has done so or not", () =>
    Effect.gen(function* () {
      const { older, open, scripted } = yield* watched;
      const [deposed, leader] = [yield* open, yield* open];
      yield* tell(leader, { type: "rollout.rollBack", reason: "no", ...at });
      const before = JSON.stringify(scripted.states.get("pointer"));
      const failure = yield* Effect.flip(point(deposed, older));
      assert.deepInclude(failure, { reason: "conflict" });
      assert.strictEqual(JSON.stringify(scripted.states.get("pointer")), before);
    }),
  );
});

describe("a question", () => {
  it.effect("that cannot be answered changes nothing, and what was read for one is not kept", () =>
    Effect.gen(function* () {
      const { first, older, open, readsSoFar, stored } = yield* watched;
      const desk = yield* open;
      const diff = { op: "diff", from: older.manifest.number, to: first.manifest.number };
      const [kept, before] = [desk.at.size, readsSoFar()];
      for (let i = 0; i < 3; i++) assert.property(yield* answerCommand(desk, diff), "done");
      assert.isAbove(readsSoFar(), before);
      assert.strictEqual(desk.at.size, kept);
      const broken = { ...desk, options: { ...desk.options, fetch: () => Effect.fail("the store is silent") } };
      assert.deepStrictEqual(yield* answerCommand(broken, diff), { unavailable: "the store is silent" });
      stored.clear();
      desk.at.clear();
      const { done } = (yield* answerCommand(desk, { op: "status" })) as Status;
      assert.deepStrictEqual(done.inForce, desk.state.published, "without what cannot be read");
      assert.property(yield* answerCommand(desk, { op: "plan" }), "unavailable");
    }),
  );
});

describe("what nodes are told again", () => {
  it.effect("is noted for the audit log before they are", () =>
    Effect.gen(function* () {
      const { open, older, scripted } = yield* watched;
      const desk = yield* open;
      desk.machine = { ...desk.machine, value: "idle" };
      const { revision } = scripted.states.get("pointer")!;
      scripted.states.set("pointer", { value: { ...refOf(older), accepted: false }, revision });
      scripted.failing = /^pointer$/;
      yield* Effect.flip(retellIfDue(desk, 10_000));
      const notes = (yield* open).state.unaudited ?? [];
      assert.deepStrictEqual(
        notes.map(({ kind, what }) => [kind, what]),
        [["config.retold", `configuration ${desk.state.published!.number}: told again, as accepted`]],
      );
      scripted.failing = undefined;
      yield* retellIfDue(desk, 20_000);
      assert.strictEqual((yield* open).state.unaudited?.length, 1, "once, as long as it waits");
    }),
  );
});
