import { Effect, Result } from "effect";
import { type LastKnownGood, LastKnownGoodError } from "../../../src/serving/last-known-good.ts";
import { decodeManifest, manifestHash } from "../../../src/snapshot/manifest.ts";

/** A node's disk: outlives its processes. */
export class ScriptedDisk {
  private kept: { readonly encoded: Uint8Array; readonly blobs: ReadonlyMap<string, Uint8Array> } | undefined;
  /** Of the snapshot on it. */
  number = 0;
  saveMillis = 0;
  isFull = false;
  /** What a node without this protection would find. */
  isForgetful = false;

  lastKnownGoodOf(user: { readonly isDead: boolean }): LastKnownGood {
    return {
      load: Effect.sync(() => {
        if (this.kept === undefined || this.isForgetful) return undefined;
        const { blobs, encoded } = this.kept;
        const manifest = Result.getOrThrow(decodeManifest(encoded));
        return { manifest, hash: manifestHash(encoded), blob: (hash) => blobs.get(hash), encoded };
      }),
      save: Effect.fnUntraced(function* (this: ScriptedDisk, { blob, manifest }, encoded) {
        if (this.saveMillis > 0) yield* Effect.sleep(this.saveMillis);
        if (this.isFull || user.isDead) return yield* new LastKnownGoodError({ path: "scripted", message: "full" });
        const hashes = new Set([...manifest.segments, manifest.catalogue].map(({ hash }) => hash));
        this.kept = { encoded, blobs: new Map([...hashes].map((hash) => [hash, blob(hash)!])) };
        this.number = manifest.number;
      }).bind(this) as LastKnownGood["save"],
    };
  }
}
