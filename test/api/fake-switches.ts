import { Effect, Layer } from "effect";
import type { SwitchInput } from "../../src/api/switch-reports.ts";
import { type SwitchAccount, SwitchesAdmin, SwitchRefused } from "../../src/api/switches-port.ts";
import { type KillSwitch, switchIdOf } from "../../src/domain/kill-switch.ts";
import type { SwitchEffect } from "../../src/domain/switch-effect.ts";

/** Scripted kill switches: everything but the customer `nobody` is known. */
export class FakeSwitches {
  switches: Array<KillSwitch> = [];
  readonly asked: Array<{ readonly input: SwitchInput; readonly account: SwitchAccount; readonly dryRun: boolean }> =
    [];
  readonly effect: SwitchEffect = {
    jobs: 3,
    customers: 1,
    datasets: 2,
    destinations: 2,
    buffers: 2,
    backlogRecords: 1_234,
    backlogBytes: 5_678_901,
    partitionsUnheard: 0,
  };

  readonly layer = Layer.succeed(SwitchesAdmin, {
    list: Effect.sync(() => this.switches),
    add: (input, account, dryRun) =>
      Effect.suspend(() => {
        this.asked.push({ input, account, dryRun });
        const { forSeconds, kind, stops = "delivery", target = "" } = input;
        if (target === "nobody" && input.force !== true) {
          const detail = "No enabled push job has the customer nobody: check the spelling, or use force.";
          return Effect.fail(new SwitchRefused({ kind: "conflict", code: "stops_nothing", detail }));
        }
        if (kind === "everything" && target !== "") {
          const detail = "everything takes no target.";
          return Effect.fail(new SwitchRefused({ kind: "invalid", code: "invalid_switch", detail }));
        }
        const added: KillSwitch = {
          id: switchIdOf({ kind, target }),
          kind,
          target,
          stops,
          ...account,
          sinceMillis: 1_700_000_000_000,
          ...(forSeconds === undefined ? {} : { untilMillis: 1_700_000_000_000 + forSeconds * 1_000 }),
        };
        if (!dryRun) this.switches.push(added);
        return Effect.succeed({ dryRun, switch: added, effect: this.effect });
      }),
    remove: (id) =>
      Effect.suspend(() => {
        const found = this.switches.find((each) => each.id === id);
        this.switches = this.switches.filter((each) => each !== found);
        const detail = `There is no kill switch "${id}" that is on.`;
        return found === undefined
          ? Effect.fail(new SwitchRefused({ kind: "notFound", code: "not_on", detail }))
          : Effect.succeed({ switch: found });
      }),
  });
}
