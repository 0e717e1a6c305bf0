import { Effect } from "effect";
import type { ConfigPointer } from "../../../src/domain/config-pointer.ts";
import { type ConfigStore, ConfigStoreError, type Versioned } from "../../../src/streams/config-store.ts";
import { configStateSubject } from "../../../src/streams/subjects.ts";
import type { Link, ScriptedBus } from "./scripted-bus.ts";

/** What a process's reads give it instead of what is stored. */
export type Damage = "none" | "blobBit" | "manifestCut" | "manifestBit" | "otherManifest" | "nothing";

/** A process that uses the store. */
export interface User extends Link {
  /** Nothing that it writes is stored. */
  isMute: boolean;
  damage: Damage;
  /**
   * It dies with its n-th write from now, before or after that is stored; or it lives, and has no answer to that one.
   * Undefined: neither.
   */
  dyingAfter: { writes: number; readonly isStored: boolean; readonly lives?: boolean } | undefined;
}

/** The store of snapshots in memory, under the real one's rules. What ever was in it is kept, to judge by. */
export class ScriptedSnapshots {
  private readonly bus: ScriptedBus;
  private readonly blobs = new Map<string, Uint8Array>();
  private readonly manifests = new Map<number, Uint8Array>();
  private readonly states = new Map<string, Versioned<unknown>>();
  private revision = 0;
  isSilent = false;
  /** So long does it take to store a blob. */
  blobMillis = 0;
  /** Every manifest that was ever stored, by its number, and everything that nodes were ever told to serve. */
  readonly everStored = new Map<number, Uint8Array>();
  readonly everTold: Array<ConfigPointer> = [];
  /** How many of these there were when somebody died writing last. */
  toldAtDeath = 0;
  readonly everBlobs = new Map<string, Uint8Array>();

  constructor(bus: ScriptedBus) {
    this.bus = bus;
  }

  /** Lost, and made anew. */
  wipe(): void {
    this.blobs.clear();
    this.manifests.clear();
    this.states.clear();
  }

  /** Whoever leads has stored what was told last, and the first of all is still there. */
  isInUse(): boolean {
    return this.states.has("rollout") && this.everTold[0] !== undefined && this.manifests.has(this.everTold[0].number);
  }

  pointerNow(): ConfigPointer | undefined {
    return this.states.get("pointer")?.value as ConfigPointer | undefined;
  }

  stateNow(name: string): Readonly<Record<string, unknown>> | undefined {
    return this.states.get(name)?.value as Readonly<Record<string, unknown>> | undefined;
  }

  /** Past the control process, as a person with the wrong tool could. */
  forge(number: number, encoded: Uint8Array, blobs: ReadonlyMap<string, Uint8Array>, hash: string): void {
    for (const [name, stored] of blobs) this.blobs.set(name, stored);
    this.manifests.set(number, encoded);
    this.repoint({ number, hash, accepted: false });
  }

  repoint(value: ConfigPointer): void {
    this.states.set("pointer", { value, revision: ++this.revision });
    this.bus.tell(configStateSubject("pointer"));
  }

  storeOf(user: User): ConfigStore {
    const unavailable = new ConfigStoreError({ reason: "unavailable", message: "scripted" });
    const isAway = () => this.isSilent || user.isDead || user.isCut;
    const read = <A>(answer: () => A) =>
      Effect.suspend(() => (isAway() ? Effect.fail(unavailable) : Effect.sync(answer)));
    const write = <A>(store: () => Effect.Effect<A, ConfigStoreError>) =>
      Effect.suspend(() => {
        if (isAway() || user.isMute) return Effect.fail(unavailable);
        if (user.dyingAfter === undefined || --user.dyingAfter.writes > 0) return store();
        const { isStored, lives = false } = user.dyingAfter;
        user.dyingAfter = undefined;
        user.isDead = !lives;
        this.toldAtDeath = this.everTold.length;
        return isStored ? Effect.andThen(store(), Effect.fail(unavailable)) : Effect.fail(unavailable);
      });
    const writeState = (name: string, value: unknown, revision: number, then = () => {}) =>
      write(() => {
        if ((this.states.get(name)?.revision ?? 0) !== revision)
          return Effect.fail(new ConfigStoreError({ reason: "conflict", message: "scripted" }));
        // As it would be read again.
        this.states.set(name, { value: JSON.parse(JSON.stringify(value)), revision: ++this.revision });
        then();
        return Effect.succeed(this.revision);
      });
    return {
      putBlob: (hash, stored) =>
        Effect.andThen(
          Effect.sleep(this.blobMillis),
          write(() =>
            Effect.sync(() => {
              this.blobs.set(hash, stored);
              if (!this.everBlobs.has(hash)) this.everBlobs.set(hash, stored);
            }),
          ),
        ),
      getBlob: (hash) => read(() => (user.damage === "blobBit" ? flipped(this.blobs.get(hash)) : this.blobs.get(hash))),
      putManifest: (number, encoded) =>
        write(() => {
          const there = this.manifests.get(number);
          if (there !== undefined && Buffer.compare(there, encoded) !== 0)
            return Effect.fail(new ConfigStoreError({ reason: "conflict", message: "there is another" }));
          this.manifests.set(number, encoded);
          this.everStored.set(number, encoded);
          return Effect.void;
        }),
      getManifest: (number) => read(() => this.manifestFor(user, number)),
      contents: read(() => ({ manifests: [...this.manifests.keys()], blobs: [...this.blobs.keys()], bytes: 0 })),
      removeManifest: (number) => write(() => Effect.sync(() => void this.manifests.delete(number))),
      removeBlob: (hash) => write(() => Effect.sync(() => void this.blobs.delete(hash))),
      pointer: read(() =>
        user.damage === "nothing" ? undefined : (this.states.get("pointer") as Versioned<ConfigPointer> | undefined),
      ),
      point: (pointer, revision) =>
        writeState("pointer", pointer, revision, () => {
          this.everTold.push(pointer);
          this.bus.tell(configStateSubject("pointer"));
        }),
      state: (name) => read(() => this.states.get(name)),
      putState: writeState,
    };
  }

  private manifestFor({ damage }: User, number: number): Uint8Array | undefined {
    const encoded = this.manifests.get(number);
    switch (damage) {
      case "manifestBit":
        return flipped(encoded);
      case "manifestCut":
        return encoded?.subarray(0, encoded.length >> 1);
      case "otherManifest":
        return [...this.manifests.values()][0];
      default:
        return encoded;
    }
  }
}

/** As a disk or a line would: one bit. */
const flipped = (bytes: Uint8Array | undefined): Uint8Array | undefined => {
  if (bytes === undefined) return undefined;
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
};
