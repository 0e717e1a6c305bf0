import { Effect, Queue, Result } from "effect";
import { steadyMillis } from "../domain/steady-clock.ts";
import type { ConfigPointer } from "../domain/config-pointer.ts";
import type { Limits } from "../domain/limits.ts";
import type { ConfigServing } from "../serving/config-serving.ts";
import { ConfigRefused } from "../serving/serving-gate.ts";
import { pastOf } from "../serving/way-back.ts";
import { decodeManifest, largestOf, type Manifest, manifestHash } from "../snapshot/manifest.ts";
import { changedSegments, type Snapshot } from "../snapshot/snapshot.ts";
import { configRefused } from "../observability/config-metrics.ts";
import { type ConfigStore, ConfigStoreError } from "../streams/config-store.ts";
import { Nats } from "../streams/nats.ts";
import { configStateSubject } from "../streams/subjects.ts";

/** Without a hint it is looked so often. */
const pollMillis = 500;
/** What was refused for a reason that may pass by itself is tried again after so long. */
const againMillis = 5_000;
const readsMax = 64;
const passing: ReadonlySet<string> = new Set(["damaged", "fromTheFuture", "notARollback", "tooLarge"]);

const nothing = () => {};

export interface Refused {
  readonly number: number;
  readonly hash: string;
  readonly rule: string;
  readonly message: string;
}

export interface ConfigFollower {
  /** Why this node does not serve what it is told to; undefined: it does, as far as it knows. */
  readonly refused: () => Refused | undefined;
  /** Why the last look was not answered; undefined: it was. */
  readonly silence: () => string | undefined;
  /** The newest snapshot that any node is told to serve, as of the last answer; undefined: nobody answers. */
  readonly newest: () => number | undefined;
  /** Called with what is about to be served, by the steady clock. */
  readonly beforeServing: (notify: (pointer: ConfigPointer, millis: number) => void) => void;
  /** Called after each change of what is served or refused. */
  readonly onChange: (notify: () => void) => void;
}

/**
 * Serves what the pointer names, for as long as the scope lives: looks at it every half second and whenever it is
 * written. Without an answer, and after a refusal, everything stays as it is.
 */
export const followConfig = Effect.fnUntraced(function* (
  store: ConfigStore,
  serving: ConfigServing,
  options: {
    readonly nodeName: string;
    readonly limits: Limits;
    /** A drill damages what arrives. */
    readonly isCorrupt: () => boolean;
    /** Told at each look whether this node has what it is told to serve. */
    readonly judged: (isGood: boolean) => void;
  },
) {
  const { control } = yield* Nats;
  const hints = yield* Queue.sliding<void>(1);
  let refused: Refused | undefined;
  let refusedMillis = 0;
  /** What is refused was told as accepted. */
  let wasAccepted = false;
  let silence: string | undefined;
  let newest: number | undefined;
  let notify: () => void = nothing;
  let announce: (pointer: ConfigPointer, millis: number) => void = nothing;
  // Before the first look: nothing may be written between the two without a hint.
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      control.subscribe(configStateSubject("pointer"), { callback: () => void Queue.offerUnsafe(hints, undefined) }),
    ),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  );

  const serve = Effect.fnUntraced(function* (pointer: ConfigPointer) {
    const named = namedFor(pointer, options.nodeName);
    newest = Math.max(pointer.number, pointer.canary?.number ?? 0);
    if (serving.current()?.hash === named.hash) {
      refused = undefined;
      return;
    }
    const nowMillis = yield* steadyMillis;
    const isAcceptedNow = pointer.accepted && !wasAccepted;
    const isPassing = refused !== undefined && passing.has(refused.rule) && nowMillis - refusedMillis >= againMillis;
    if (refused?.hash === named.hash && !isAcceptedNow && !isPassing) return;
    announce(pointer, nowMillis);
    const outcome = yield* Effect.result(
      Effect.flatMap(
        fetchSnapshot(options.isCorrupt() ? damaging(store) : store, named, serving.current(), options.limits),
        Effect.fnUntraced(function* ({ encoded, snapshot }) {
          const past = yield* fetchPast(store, snapshot, serving.current());
          yield* serving.offer(snapshot, encoded, pointer.accepted, past);
        }),
      ),
    );
    if (Result.isSuccess(outcome)) {
      refused = undefined;
      yield* Effect.logInfo("A configuration is in force on this node.", { number: named.number });
    } else if (outcome.failure._tag === "ConfigStoreError") {
      return yield* outcome.failure;
    } else {
      const { message, rule } = outcome.failure;
      refused = { ...named, rule, message };
      refusedMillis = nowMillis;
      wasAccepted = pointer.accepted;
      yield* configRefused(rule);
      yield* Effect.logError("A configuration is refused; what is served stays as it is.", {
        number: named.number,
        rule,
        message,
        serves: serving.current()?.manifest.number ?? "none",
      });
    }
    notify();
  });

  const look = Effect.gen(function* () {
    const pointer = yield* store.pointer;
    if (pointer !== undefined) yield* serve(pointer.value);
    options.judged(refused === undefined);
    if (silence !== undefined) yield* Effect.logInfo("The configuration can be read again.");
    silence = undefined;
  }).pipe(
    Effect.catch(({ message }) =>
      Effect.suspend(() => {
        const isNews = silence === undefined;
        silence = message;
        options.judged(false);
        return isNews
          ? Effect.logWarning("The configuration cannot be read: what is served stays as it is.", { detail: message })
          : Effect.void;
      }),
    ),
    // A connection that was closed for good throws; a defect must not end the following either.
    Effect.catchCause((cause) => Effect.logError("A look at the configuration has failed.", cause)),
  );

  yield* look;
  yield* Effect.forkScoped(
    Effect.forever(Queue.take(hints).pipe(Effect.timeoutOption(pollMillis), Effect.andThen(look))),
  );
  const follower: ConfigFollower = {
    refused: () => refused,
    silence: () => silence,
    newest: () => (silence === undefined ? newest : undefined),
    beforeServing: (call) => {
      announce = call;
    },
    onChange: (call) => {
      notify = call;
    },
  };
  return follower;
});

/** As a disk or a line would: one bit of each manifest. */
const damaging = (store: ConfigStore): ConfigStore => ({
  ...store,
  getManifest: (number) =>
    Effect.map(store.getManifest(number), (encoded) => {
      if (encoded === undefined) return undefined;
      const copy = Uint8Array.from(encoded);
      copy[copy.length >> 1]! ^= 1;
      return copy;
    }),
});

/** What is stored of where a snapshot goes back to. What is not, or cannot be read, tells nothing. */
const fetchPast = Effect.fnUntraced(function* (
  store: ConfigStore,
  { manifest }: Snapshot,
  current: Snapshot | undefined,
) {
  const past = new Map<number, Manifest>();
  for (const number of pastOf(manifest, current)) {
    const encoded = yield* store.getManifest(number);
    const decoded = encoded === undefined ? undefined : Result.getOrUndefined(decodeManifest(encoded));
    if (decoded?.number === number) past.set(number, decoded);
  }
  return past;
});

const namedFor = ({ canary, hash, number }: ConfigPointer, node: string) =>
  canary !== undefined && canary.nodes.includes(node) ? { number: canary.number, hash: canary.hash } : { number, hash };

/** Reads what this node has not got yet. What is not as its name says is refused here already. */
export const fetchSnapshot = Effect.fn("node.fetchSnapshot")(function* (
  store: ConfigStore,
  { hash, number }: { readonly number: number; readonly hash: string },
  current: Snapshot | undefined,
  limits: Pick<Limits, "segmentBytesMax" | "snapshotBytesMax">,
): Effect.fn.Return<{ readonly snapshot: Snapshot; readonly encoded: Uint8Array }, ConfigStoreError | ConfigRefused> {
  const refuse = (rule: ConfigRefused["rule"], message: string) => new ConfigRefused({ rule, number, message });
  const encoded = yield* store.getManifest(number);
  if (encoded === undefined) return yield* refuse("damaged", "its manifest is missing");
  if (manifestHash(encoded) !== hash) return yield* refuse("damaged", "its manifest is not the one that was named");
  const manifest = decodeManifest(encoded);
  if (Result.isFailure(manifest)) return yield* refuse("damaged", manifest.failure.message);
  const marks = [
    ...changedSegments(current?.manifest, manifest.success).map((segment) => manifest.success.segments[segment]!),
    manifest.success.catalogue,
  ];
  const missing = new Map(
    marks.filter((mark) => current?.blob(mark.hash) === undefined).map((mark) => [mark.hash, mark]),
  );
  const bytes = [...missing.values()].reduce((sum, mark) => sum + mark.bytes, 0);
  if (bytes > limits.snapshotBytesMax)
    return yield* refuse("tooLarge", `${bytes} bytes of it are new, ${limits.snapshotBytesMax} are the limit`);
  // Before anything of it is read, let alone inflated: a segment is inflated in one go, on the main thread.
  const largest = largestOf(manifest.success);
  if (largest > limits.segmentBytesMax)
    return yield* refuse("tooLarge", `a segment of ${largest} bytes, ${limits.segmentBytesMax} are the limit`);
  const blobs = new Map<string, Uint8Array>();
  for (const mark of [...manifest.success.segments, manifest.success.catalogue]) {
    const known = current?.blob(mark.hash);
    if (known !== undefined) blobs.set(mark.hash, known);
  }
  yield* Effect.forEach(
    missing.values(),
    (mark) =>
      // Compressed, it is hardly ever larger.
      Effect.flatMap(store.getBlob(mark.hash, 2 * mark.bytes + 65_536), (stored) =>
        stored === undefined
          ? Effect.fail(refuse("damaged", `its segment ${mark.hash.slice(0, 12)}… is missing`))
          : Effect.sync(() => void blobs.set(mark.hash, stored)),
      ),
    { concurrency: readsMax, discard: true },
  );
  return { snapshot: { manifest: manifest.success, hash, blob: (name) => blobs.get(name) }, encoded };
});
