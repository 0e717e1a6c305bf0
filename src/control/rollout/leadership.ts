import { Clock, Effect } from "effect";
import type { ConfigStore } from "../../streams/config-store.ts";
import { writeOnce } from "./control-state.ts";

const stateName = "leader";
const renewMillis = 1_000;
/** Whoever leads and does not say so for so long leads no more. By everybody's own steady clock. */
const silentMillisMax = 3_000;
const pollMillis = 500;

/** One control process at a time does the work. Should two believe that they lead, compare-and-set stops the older. */
export interface Leadership {
  /** To be called often; writes once a second. Fails when somebody else leads. */
  readonly renew: Effect.Effect<void, unknown>;
  /** Somebody else may lead at once. */
  readonly release: Effect.Effect<void>;
}

const steadyMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n));

/** Waits until this node leads. */
export const lead = Effect.fn("control.lead")(function* (store: ConfigStore, node: string) {
  let seen = -1;
  let seenMillis = 0;
  let turn = 0;
  for (;;) {
    const found = yield* Effect.option(store.state(stateName));
    const nowMillis = yield* steadyMillis;
    if (found._tag === "Some") {
      const holder = (found.value?.value as { readonly node?: unknown } | undefined)?.node;
      const revision = found.value?.revision ?? 0;
      if (revision !== seen) {
        seen = revision;
        seenMillis = nowMillis;
      }
      // This node before it was started again, nobody, or one that has fallen silent.
      if (holder === undefined || holder === null || holder === node || nowMillis - seenMillis >= silentMillisMax) {
        const taken = yield* Effect.option(writeOnce(store, stateName, { node, turn }, revision));
        if (taken._tag === "Some") return heldFrom(store, node, taken.value, nowMillis);
      }
    }
    turn += 1;
    yield* Effect.sleep(pollMillis);
  }
});

const heldFrom = (store: ConfigStore, node: string, first: number, fromMillis: number): Leadership => {
  let revision = first;
  let renewedMillis = fromMillis;
  return {
    renew: Effect.gen(function* () {
      const nowMillis = yield* steadyMillis;
      if (nowMillis - renewedMillis < renewMillis) return;
      revision = yield* writeOnce(store, stateName, { node, turn: revision }, revision);
      renewedMillis = nowMillis;
    }),
    release: Effect.suspend(() => Effect.ignore(store.putState(stateName, { node: null }, revision))),
  };
};
