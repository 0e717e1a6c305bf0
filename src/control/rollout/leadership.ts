import { Effect, Result } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { ConfigStore, ConfigStoreError } from "../../streams/config-store.ts";
import { writeOnce } from "./control-state.ts";

const stateName = "leader";
const renewMillis = 500;
/** Whoever leads and does not say so for so long leads no more. By everybody's own steady clock. */
const silentMillisMax = 2_500;
const pollMillis = 250;

/** One control process at a time does the work. Should two believe that they lead, compare-and-set stops the older. */
export interface Leadership {
  /**
   * Says so twice a second, for as long as it runs: beside the work, which may take long. Fails when somebody else
   * leads, or may by now.
   */
  readonly keep: Effect.Effect<never, ConfigStoreError>;
  /** Somebody else may lead at once. */
  readonly release: Effect.Effect<void>;
}

/** Waits until this node leads. */
export const lead = Effect.fn("control.lead")(function* (store: ConfigStore, node: string, process: string) {
  let seen = -1;
  let seenMillis = 0;
  let turn = 0;
  for (;;) {
    const found = yield* Effect.option(store.state(stateName));
    const nowMillis = yield* steadyMillis;
    if (found._tag === "Some") {
      const holder = (found.value?.value as { readonly process?: unknown } | undefined)?.process;
      const revision = found.value?.revision ?? 0;
      if (revision !== seen) {
        seen = revision;
        seenMillis = nowMillis;
      }
      // Nobody, this very process before something failed, or one that has fallen silent. A node of the same name may
      // be another one.
      const isFree = holder === undefined || holder === null || holder === process;
      if (isFree || nowMillis - seenMillis >= silentMillisMax) {
        const taken = yield* Effect.option(writeOnce(store, stateName, { node, process, turn }, revision));
        if (taken._tag === "Some") return heldFrom(store, { node, process }, taken.value, nowMillis);
      }
    }
    turn += 1;
    yield* Effect.sleep(pollMillis);
  }
});

const heldFrom = (
  store: ConfigStore,
  who: { readonly node: string; readonly process: string },
  first: number,
  fromMillis: number,
): Leadership => {
  let revision = first;
  return {
    keep: Effect.gen(function* () {
      let renewedMillis = fromMillis;
      for (;;) {
        yield* Effect.sleep(renewMillis);
        const nowMillis = yield* steadyMillis;
        const renewed = yield* Effect.result(writeOnce(store, stateName, { ...who, turn: revision }, revision));
        if (Result.isSuccess(renewed)) {
          revision = renewed.success;
          renewedMillis = nowMillis;
        } else if (renewed.failure.reason === "conflict" || (yield* steadyMillis) - renewedMillis >= silentMillisMax) {
          return yield* renewed.failure;
        }
      }
    }),
    release: Effect.suspend(() => Effect.ignore(store.putState(stateName, { node: null, process: null }, revision))),
  };
};
