import { Clock, Effect } from "effect";
import type { DrillSwitches } from "../actors/ports/drill-faults.ts";
import { DrillAdmin, NotInDrill, UnknownLimit } from "../api/drill-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import type { DrillState, FaultName, GuardName } from "../domain/drill-state.ts";
import type { Limits } from "../domain/limits.ts";
import { markExercised } from "../streams/drill-marks.ts";
import { Nats } from "../streams/nats.ts";

/** Looked at so often for what has run out. */
const expiryMillis = 250;

type DrilledNode = Pick<DrillState, "node" | "roles">;

export interface NodeDrill {
  readonly switches: DrillSwitches;
  readonly admin: (isLimit: (name: string) => boolean) => Effect.Effect<DrillAdmin["Service"], never, Nats>;
  /** Undefined: the node was not started for drills. */
  readonly now: () => DrillState | undefined;
  /** Called with every change; one listener. */
  readonly onChange: (listen: () => void) => void;
}

/**
 * What is armed or switched off on this node. All of it ends by itself: a drill that dies, or that cuts itself off from
 * the node, leaves nothing behind.
 *
 * @param enabled whether the node was started for drills; otherwise nothing is ever armed and every guard stays on
 */
export const makeNodeDrill = Effect.fn("node.makeNodeDrill")(function* (enabled: boolean, who: DrilledNode) {
  const clock = yield* Clock.Clock;
  const table = new DrillTable(who);
  const listener: { tell?: () => void } = {};
  const now = () => (enabled ? table.state() : undefined);
  const changed = (what: string, name: string) =>
    Effect.suspend(() => {
      listener.tell?.();
      return Effect.logWarning(what, { name });
    });
  const expire = Effect.suspend(() => {
    const gone = table.expire(clock.currentTimeMillisUnsafe());
    return Effect.forEach(gone, (name) => changed("A drill's fault or switch has run out.", name), { discard: true });
  });
  if (enabled) {
    yield* Effect.logWarning("This node is a drill target: faults can be armed and guards switched off over its API.");
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(expiryMillis), expire)));
  }
  const allowed = enabled ? Effect.void : Effect.fail(new NotInDrill());
  const until = (seconds: number) => clock.currentTimeMillisUnsafe() + seconds * 1_000;

  const arm = Effect.fn("NodeDrill.arm")(function* (name: FaultName, seconds: number) {
    yield* allowed;
    table.faults.set(name, until(seconds));
    yield* changed("A drill has armed a fault.", name);
    return table.state();
  });
  const disarm = Effect.fn("NodeDrill.disarm")(function* (name: FaultName | undefined) {
    yield* allowed;
    if (name === undefined) table.faults.clear();
    else table.faults.delete(name);
    yield* changed("A drill has disarmed a fault.", name ?? "all");
    return table.state();
  });
  const switchGuard = Effect.fn("NodeDrill.switchGuard")(function* (name: GuardName, on: boolean, seconds: number) {
    yield* allowed;
    if (on) table.guardsOff.delete(name);
    else table.guardsOff.set(name, until(seconds));
    yield* changed(on ? "A drill has switched a guard on again." : "A drill has switched a guard off.", name);
    return table.state();
  });
  const admin = Effect.fnUntraced(function* (isLimit: (name: string) => boolean) {
    const nats = yield* Nats;
    // On any node: what a drill saw elsewhere, with the same version, is worth knowing where the limits are in force.
    const mark = Effect.fn("NodeDrill.mark")(function* (drill: string, limits: ReadonlyArray<string>) {
      for (const limit of limits) if (!isLimit(limit)) return yield* new UnknownLimit({ limit });
      yield* Effect.forEach(limits, (limit) => markExercised(limit as keyof Limits, drill), { discard: true }).pipe(
        Effect.provideService(Nats, nats),
        Effect.mapError(({ detail }) => new ApiUnavailable({ detail })),
      );
    });
    return DrillAdmin.of({ state: Effect.sync(now), arm, disarm, switchGuard, mark });
  });

  const drill: NodeDrill = {
    switches: {
      isArmed: (name) => table.faults.has(name),
      isGuardOn: (name) => !table.guardsOff.has(name),
    },
    admin,
    now,
    onChange: (listen) => {
      listener.tell = listen;
    },
  };
  return drill;
});

/** Names of faults and guards, with the epoch millis at which each runs out. The sets of names bound it. */
class DrillTable {
  readonly faults = new Map<FaultName, number>();
  readonly guardsOff = new Map<GuardName, number>();
  private readonly who: DrilledNode;

  constructor(who: DrilledNode) {
    this.who = who;
  }

  state(): DrillState {
    return {
      ...this.who,
      faults: [...this.faults].map(([name, untilMillis]) => ({ name, untilMillis })),
      guardsOff: [...this.guardsOff].map(([name, untilMillis]) => ({ name, untilMillis })),
    };
  }

  /** Answers the names of what has run out. */
  expire(nowMillis: number): ReadonlyArray<string> {
    const gone: Array<string> = [];
    for (const table of [this.faults, this.guardsOff] as ReadonlyArray<Map<string, number>>) {
      for (const [name, untilMillis] of table) {
        if (untilMillis > nowMillis) continue;
        table.delete(name);
        gone.push(name);
      }
    }
    return gone;
  }
}
