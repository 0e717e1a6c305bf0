import { Effect } from "effect";
import type { ConfigPointer } from "../../../src/domain/config-pointer.ts";
import { type ConfigStore, ConfigStoreError, type Versioned } from "../../../src/streams/config-store.ts";
import { configStateSubject } from "../../../src/streams/subjects.ts";
import type { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import type { ScriptedBus } from "./scripted-bus.ts";

/** The store of configurations in memory: durable when it answers, and now and then it does not. */
export class ScriptedConfigs {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<number, Uint8Array>();
  readonly everManifests = new Map<number, Uint8Array>();
  pointer: Versioned<ConfigPointer> | undefined;
  /** Numbers that nodes were told to serve as accepted by a person. */
  readonly accepted = new Set<number>();
  private readonly states = new Map<string, Versioned<unknown>>();
  private readonly bus: ScriptedBus;
  /** Nobody gets an answer. */
  isSilent = false;
  /** What nodes read of manifests has a bit that is another one. */
  isDamaging = false;

  constructor(bus: ScriptedBus) {
    this.bus = bus;
  }

  service(dice: Dice, life: Life): ConfigStore {
    /** A write that fails may have landed all the same. */
    const write = <A>(run: () => A | ConfigStoreError): Effect.Effect<A, ConfigStoreError> =>
      Effect.suspend(() => Effect.sleep(dice.int(0, 15))).pipe(
        Effect.andThen(
          Effect.suspend(() => {
            // What a finalizer asks for must come to an end.
            if (life.isDead) return Effect.fail(silent);
            const fails = this.isSilent || life.isCutOff || (life.faulty && dice.chance(0.003));
            if (fails && (this.isSilent || life.isCutOff || dice.chance(0.5))) return Effect.fail(silent);
            const done = run();
            if (done instanceof ConfigStoreError) return Effect.fail(done);
            return fails ? Effect.fail(silent) : Effect.succeed(done);
          }),
        ),
      );
    const read = <A>(run: () => A): Effect.Effect<A, ConfigStoreError> =>
      Effect.suspend(() => Effect.sleep(dice.int(0, 5))).pipe(
        Effect.andThen(
          Effect.suspend(() => {
            if (life.isDead) return Effect.fail(silent);
            if (this.isSilent || life.isCutOff || (life.faulty && dice.chance(0.003))) return Effect.fail(silent);
            return Effect.sync(run);
          }),
        ),
      );
    return {
      putBlob: (hash, stored) => write(() => void this.blobs.set(hash, stored)),
      getBlob: (hash) => read(() => this.blobs.get(hash)),
      putManifest: (number, encoded) =>
        write(() => {
          const there = this.manifests.get(number);
          if (there !== undefined && Buffer.compare(there, encoded) !== 0) return conflict(`manifest ${number}`);
          this.manifests.set(number, encoded);
          this.everManifests.set(number, encoded);
          return undefined;
        }),
      getManifest: (number) =>
        read(() => {
          const encoded = this.manifests.get(number);
          if (encoded === undefined || !this.isDamaging) return encoded;
          const copy = Uint8Array.from(encoded);
          const at = dice.int(0, copy.length - 1);
          copy[at] = copy[at]! ^ (1 << dice.int(0, 7));
          return copy.subarray(0, dice.chance(0.3) ? dice.int(0, copy.length) : copy.length);
        }),
      contents: read(() => ({ manifests: [...this.manifests.keys()], blobs: [...this.blobs.keys()], bytes: 0 })),
      removeManifest: (number) => write(() => void this.manifests.delete(number)),
      removeBlob: (hash) => write(() => void this.blobs.delete(hash)),
      pointer: read(() => this.pointer),
      point: (pointer, revision) =>
        write(() => {
          if ((this.pointer?.revision ?? 0) !== revision) return conflict("pointer");
          this.pointer = { value: pointer, revision: revision + 1 };
          if (pointer.accepted) this.accepted.add(pointer.number);
          this.bus.publish(configStateSubject("pointer"), "");
          return revision + 1;
        }),
      state: (name) => read(() => this.states.get(name)),
      putState: (name, value, revision) =>
        write(() => {
          if ((this.states.get(name)?.revision ?? 0) !== revision) return conflict(name);
          this.states.set(name, { value: JSON.parse(JSON.stringify(value)) as unknown, revision: revision + 1 });
          return revision + 1;
        }),
    };
  }
}

const silent = new ConfigStoreError({ reason: "unavailable", message: "scripted" });
const conflict = (what: string) => new ConfigStoreError({ reason: "conflict", message: what });
