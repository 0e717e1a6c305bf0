import type { KillSwitchesView } from "../../src/actors/ports/kill-switches.ts";
import { type KillSwitch, switchIdOf } from "../../src/domain/kill-switch.ts";
import { noSwitches, SwitchSet } from "../../src/domain/switch-set.ts";

/** A kill switch of its own target. */
export const aSwitch = (kind: KillSwitch["kind"], target: string, over: Partial<KillSwitch> = {}): KillSwitch => ({
  id: switchIdOf({ kind, target }),
  kind,
  target,
  stops: "delivery",
  who: "somebody",
  why: "a test",
  sinceMillis: 0,
  ...over,
});

/** Kill switches that a test throws. */
export class ScriptedSwitches implements KillSwitchesView {
  private readonly listeners = new Set<() => void>();
  private set = noSwitches;

  readonly current = () => this.set;
  readonly onChange = (changed: () => void) => {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  };

  throw(...all: ReadonlyArray<KillSwitch>): void {
    this.set = new SwitchSet(all);
    for (const changed of this.listeners) changed();
  }
}
