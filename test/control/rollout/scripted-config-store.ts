import { Effect } from "effect";
import { type ConfigStore, ConfigStoreError, type Versioned } from "../../../src/streams/config-store.ts";

/** States of the control side in memory, under compare-and-set; a write may be made to fail. */
export class ScriptedConfigStore {
  readonly states = new Map<string, Versioned<unknown>>();
  /** Writes to these fail, as if the process had ended before them. */
  failing: RegExp | undefined;

  readonly store = {
    pointer: Effect.undefined,
    state: (name: string) => Effect.sync(() => this.states.get(name)),
    putState: (name: string, value: unknown, revision: number) =>
      Effect.suspend(() => {
        if (this.failing?.test(name) === true)
          return Effect.fail(new ConfigStoreError({ reason: "unavailable", message: "scripted" }));
        const there = this.states.get(name)?.revision ?? 0;
        if (there !== revision) return Effect.fail(new ConfigStoreError({ reason: "conflict", message: "scripted" }));
        // As it would be read again: JSON.
        this.states.set(name, { value: JSON.parse(JSON.stringify(value)), revision: there + 1 });
        return Effect.succeed(there + 1);
      }),
  } as unknown as ConfigStore;
}
