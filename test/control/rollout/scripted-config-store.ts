import { Effect } from "effect";
import { type ConfigStore, ConfigStoreError, type Versioned } from "../../../src/streams/config-store.ts";

/** The control side's store in memory, under compare-and-set; a write may be made to fail. */
export class ScriptedConfigStore {
  readonly states = new Map<string, Versioned<unknown>>();
  /** Writes to these fail, as if the process had ended before them. */
  failing: RegExp | undefined;

  readonly manifests = new Map<number, Uint8Array>();

  private readonly put = (name: string, value: unknown, revision: number) =>
    Effect.suspend(() => {
      if (this.failing?.test(name) === true)
        return Effect.fail(new ConfigStoreError({ reason: "unavailable", message: "scripted" }));
      const there = this.states.get(name)?.revision ?? 0;
      if (there !== revision) return Effect.fail(new ConfigStoreError({ reason: "conflict", message: "scripted" }));
      // As it would be read again: JSON.
      this.states.set(name, { value: JSON.parse(JSON.stringify(value)), revision: there + 1 });
      return Effect.succeed(there + 1);
    });

  readonly store = {
    pointer: Effect.sync(() => this.states.get("pointer")),
    point: (value: unknown, revision: number) => this.put("pointer", value, revision),
    state: (name: string) => Effect.sync(() => this.states.get(name)),
    putState: this.put,
    putBlob: () => Effect.void,
    putManifest: (number: number, encoded: Uint8Array) => Effect.sync(() => void this.manifests.set(number, encoded)),
  } as unknown as ConfigStore;
}
