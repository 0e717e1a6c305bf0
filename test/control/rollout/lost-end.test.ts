import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { unauditedMax } from "../../../src/control/rollout/audit-notes.ts";
import { loadHistory } from "../../../src/control/rollout/control-state.ts";
import type { ControlOptions } from "../../../src/control/rollout/control-options.ts";
import { reportLostEnd, tell } from "../../../src/control/rollout/deeds.ts";
import { type Desk, openDesk } from "../../../src/control/rollout/desk.ts";
import { proposeIfDue } from "../../../src/control/rollout/next-rollout.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { limits } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";

const optionsWith = ({ store }: ScriptedConfigStore): ControlOptions =>
  ({
    node: "one",
    limits,
    store,
    catalogue: () => ({ hash: "", content: new Uint8Array() }),
    ended: () => Effect.void,
  }) as unknown as ControlOptions;

/** A control process that has just been given the lead. */
const open = (scripted: ScriptedConfigStore) => openDesk(optionsWith(scripted), new NodeReports());

const target = { number: 8, hash: "b".repeat(64) };

/** Nothing is known of the proposal any more: the gate's question ends the rollout at once. */
const refuse = (desk: Desk) => tell(desk, { type: "snapshot.proposed", target, nowMillis: 1_000 });

describe("the end of a rollout", () => {
  it.effect("is in the history and for the audit log after a crash at each of its writes, and once", () =>
    Effect.gen(function* () {
      for (const failing of [/^history-/, /^never$/]) {
        const scripted = new ScriptedConfigStore();
        const desk = yield* open(scripted);
        scripted.failing = failing;
        yield* Effect.ignore(refuse(desk));
        scripted.failing = undefined;
        const next = yield* open(scripted);
        assert.strictEqual(next.machine.value, "idle");
        assert.strictEqual(next.state.records, failing.test("history-0") ? 0 : 1, "the crash was where it should be");
        for (let i = 0; i < 2; i++) yield* reportLostEnd(next);
        const { last, records, unaudited } = (yield* open(scripted)).state;
        assert.deepInclude(last, { ...target, result: "refused" });
        assert.strictEqual(records, 1);
        assert.deepStrictEqual(
          unaudited?.map(({ kind, what, who }) => [kind, what, who]),
          [["config.refused", "configuration 8: refused", "control:one"]],
        );
        const history = yield* loadHistory(scripted.store, records, {
          limit: 10,
          recordsMax: limits.rolloutHistoryMax,
        });
        assert.deepStrictEqual(
          history.map(({ hash }) => hash),
          [target.hash],
        );
      }
    }),
  );

  it.effect("that was stored by a version without an audit log is none that was lost", () =>
    Effect.gen(function* () {
      const scripted = new ScriptedConfigStore();
      const desk = yield* open(scripted);
      yield* refuse(desk);
      const { revision, value } = scripted.states.get("rollout")!;
      const { refusedKey: _, unaudited: __, ...before } = value as Record<string, unknown>;
      scripted.states.set("rollout", { value: before, revision });
      const next = yield* open(scripted);
      yield* reportLostEnd(next);
      assert.isUndefined(next.state.unaudited);
    }),
  );

  it.effect("that cannot be noted holds up what is new, but not before many wait", () =>
    Effect.gen(function* () {
      const desk = yield* open(new ScriptedConfigStore());
      const note = { kind: "config.ended", who: "w", from: "", what: "w", why: "", detail: "" } as const;
      let asked = 0;
      const looked = {
        ...desk.options,
        stored: { pending: 0, size: 0 },
        current: () => void (asked += 1),
        isCaughtUp: () => true,
      };
      const at = (waiting: number): Desk => ({
        ...desk,
        options: looked as never,
        state: { ...desk.state, unaudited: Array.from({ length: waiting }, () => note) },
      });
      yield* proposeIfDue(at(unauditedMax - 1));
      assert.strictEqual(asked, 1);
      yield* proposeIfDue(at(unauditedMax));
      assert.strictEqual(asked, 1, "nobody has looked for what is new");
    }),
  );
});
