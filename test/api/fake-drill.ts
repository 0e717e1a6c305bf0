import { Effect } from "effect";
import { DrillAdmin, NotInDrill, UnknownLimit } from "../../src/api/drill-port.ts";
import type { DrillState, FaultName, GuardName } from "../../src/domain/drill-state.ts";

/** What a node in drill mode, or one that is not, says to drills. */
export class FakeDrill {
  enabled = false;
  readonly faults = new Set<FaultName>();
  readonly guardsOff = new Set<GuardName>();
  readonly marks: Array<string> = [];

  state(): DrillState {
    const until = (name: string) => ({ name, untilMillis: 1 });
    return {
      node: "fake",
      roles: ["forwarder"],
      faults: [...this.faults].map(until) as unknown as DrillState["faults"],
      guardsOff: [...this.guardsOff].map(until) as unknown as DrillState["guardsOff"],
    };
  }

  get admin(): DrillAdmin["Service"] {
    const change = (make: () => unknown): Effect.Effect<DrillState, NotInDrill> =>
      Effect.suspend((): Effect.Effect<DrillState, NotInDrill> => {
        if (!this.enabled) return Effect.fail(new NotInDrill());
        make();
        return Effect.succeed(this.state());
      });
    return DrillAdmin.of({
      state: Effect.sync(() => (this.enabled ? this.state() : undefined)),
      arm: (name) => change(() => this.faults.add(name)),
      disarm: (name) => change(() => (name === undefined ? this.faults.clear() : this.faults.delete(name))),
      switchGuard: (name, on) => change(() => (on ? this.guardsOff.delete(name) : this.guardsOff.add(name))),
      mark: (_, limits) =>
        Effect.suspend((): Effect.Effect<void, UnknownLimit> => {
          const [unknown] = limits.filter((limit) => !limit.endsWith("Max"));
          if (unknown !== undefined) return Effect.fail(new UnknownLimit({ limit: unknown }));
          this.marks.push(...limits);
          return Effect.void;
        }),
    });
  }
}
