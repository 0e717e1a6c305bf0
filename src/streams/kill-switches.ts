import { Clock, Context, Deferred, Effect, Layer, Metric, Option, Queue, Scope } from "effect";
import { steadyMillis } from "../domain/steady-clock.ts";
import { KillSwitches } from "../actors/ports/kill-switches.ts";
import { type KillSwitch, nameOfSwitch, switchKinds } from "../domain/kill-switch.ts";
import { killSwitchesOf } from "../observability/switch-metrics.ts";
import { KnownSwitches, type SwitchChanges } from "./known-switches.ts";
import { Nats } from "./nats.ts";
import { openSwitchBucket, type SwitchBucket, switchSubjects } from "./switch-bucket.ts";
import { type SwitchCopy, switchCopyIn } from "./switch-copy.ts";
import { putSwitch, removeExpired, removeSwitch, type SwitchAuthor, SwitchNotWritten } from "./switch-writes.ts";

export interface KillSwitchesOptions {
  /** Where the copy on disk lies. */
  readonly dataDirectory: string;
  readonly nodeName: string;
  readonly replicas: number;
  readonly killSwitchesMax: number;
}

/** Kill switches for those who turn them on and off. What they stop asks `KillSwitches`. */
export class KillSwitchStore extends Context.Service<
  KillSwitchStore,
  {
    /** Those in force on this node. */
    readonly list: () => ReadonlyArray<KillSwitch>;
    /**
     * Durable when it completes; true: in force on this node and in its copy on disk, too. False: this node could not
     * read it in time, and nobody knows when it will.
     */
    readonly put: (wanted: KillSwitch, replace: boolean) => Effect.Effect<boolean, SwitchNotWritten>;
    /** Undefined: it is not on. `applied` as the answer of `put`. */
    readonly remove: (
      id: string,
      author: SwitchAuthor,
    ) => Effect.Effect<{ readonly switch: KillSwitch; readonly applied: boolean } | undefined, SwitchNotWritten>;
    /** Whose time was over, where this node was the one of all to say so in the store. */
    readonly ended: Queue.Dequeue<KillSwitch>;
  }
>()("spillway/streams/KillSwitchStore") {}

/** After a hint the message may not be stored yet: asked again soon, then ever more slowly. */
const waitMillisMin = 5;
const waitMillisMax = 500;
const failureMillis = 500;
const describeMillis = 5_000;
/** So long a start waits for what is stored; without an answer it goes on with the copy on disk. */
const firstReadMillisMax = 3_000;
const appliedMillisMax = 2_000;

interface State {
  readonly options: KillSwitchesOptions;
  readonly known: KnownSwitches;
  readonly copy: SwitchCopy;
  readonly listeners: Set<() => void>;
  readonly hints: Queue.Queue<void>;
  readonly firstRead: Deferred.Deferred<void>;
  /** Whose time is over, and the store was not told yet. */
  readonly ending: Map<string, KillSwitch>;
  readonly ended: Queue.Queue<KillSwitch>;
  bucket: SwitchBucket | undefined;
  isSubscribed: boolean;
  created: string;
  describedMillis: number;
  position: number;
  /** Everything up to this sequence is in force, and in the copy on disk if that can be written. */
  applied: number;
  waitMillis: number;
  failing: boolean;
  unsaved: boolean;
}

/**
 * Follows the bucket for as long as the scope lives. It depends on nothing else: neither on jobs nor on snapshots, and
 * on no other node. While NATS does not answer, what was known stays in force, across a restart too.
 */
export const layerKillSwitches = (options: KillSwitchesOptions): Layer.Layer<KillSwitchStore, never, Nats> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const copy = switchCopyIn(options.dataDirectory);
      const saved = yield* copy.load.pipe(
        Effect.catch(({ detail, path }) =>
          Effect.as(Effect.logError("This node's copy of the kill switches cannot be read.", { path, detail }), []),
        ),
      );
      const state: State = {
        options,
        known: new KnownSwitches(saved),
        copy,
        listeners: new Set(),
        hints: yield* Queue.sliding<void>(1),
        firstRead: yield* Deferred.make<void>(),
        ending: new Map(),
        ended: yield* Queue.sliding<KillSwitch>(options.killSwitchesMax),
        bucket: undefined,
        isSubscribed: false,
        created: "",
        describedMillis: Number.NEGATIVE_INFINITY,
        position: 0,
        applied: 0,
        waitMillis: waitMillisMax,
        failing: false,
        unsaved: false,
      };
      yield* refresh(state);
      const scope = yield* Effect.scope;
      yield* Effect.forkScoped(Effect.forever(turn(state, scope)));
      yield* Deferred.await(state.firstRead).pipe(Effect.timeoutOption(firstReadMillisMax));
      return Context.make(KillSwitchStore, storeOf(state)).pipe(
        Context.add(KillSwitches, {
          current: () => state.known.current(),
          onChange: (changed) => {
            // Wrapped: the same function may listen twice.
            const listener = () => changed();
            state.listeners.add(listener);
            return () => void state.listeners.delete(listener);
          },
        }),
      );
    }),
  );

const turn = (state: State, scope: Scope.Scope) =>
  read(state, scope).pipe(
    Effect.tap((found) => settle(state, found)),
    Effect.catch(({ detail }) => endure(state, detail)),
    // A connection that was closed for good throws.
    Effect.catchDefect((defect) => endure(state, String(defect))),
  );

/** @returns how many entries are new */
const read = Effect.fnUntraced(function* (state: State, scope: Scope.Scope) {
  const bucket = state.bucket ?? (yield* open(state, scope));
  yield* beginAgainIfReplaced(state, bucket);
  const { entries, position } = yield* bucket.readAfter(state.position);
  const unreadable = state.known.apply(entries);
  state.position = position;
  for (const id of unreadable) {
    yield* Effect.logError("A stored kill switch cannot be read: what was known of it stays in force.", { id });
  }
  return entries.length;
});

const settle = Effect.fnUntraced(function* (state: State, found: number) {
  if (state.failing) {
    state.failing = false;
    yield* Effect.logInfo("Kill switches can be read again.");
  }
  yield* refresh(state);
  yield* Deferred.succeed(state.firstRead, undefined);
  yield* tidyUp(state);
  if (found > 0) return;
  const hint = yield* Queue.take(state.hints).pipe(Effect.timeoutOption(state.waitMillis));
  state.waitMillis = Option.isSome(hint) ? waitMillisMin : Math.min(waitMillisMax, state.waitMillis * 2);
});

const endure = Effect.fnUntraced(function* (state: State, detail: string) {
  if (!state.failing) {
    state.failing = true;
    yield* Effect.logError("Kill switches cannot be read: those that were known stay in force.", { detail });
  }
  // Time goes on without NATS, too.
  yield* refresh(state);
  yield* Effect.sleep(failureMillis);
});

const open = Effect.fnUntraced(function* (state: State, scope: Scope.Scope) {
  const nats = yield* Nats;
  const bucket = yield* openSwitchBucket(state.options.replicas);
  state.bucket = bucket;
  // A bucket that was lost and made anew has the same subjects.
  if (state.isSubscribed) return bucket;
  const hint = () => void Queue.offerUnsafe(state.hints, undefined);
  yield* Effect.acquireRelease(
    Effect.sync(() => nats.control.subscribe(switchSubjects, { callback: hint })),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  ).pipe(Scope.provide(scope));
  state.isSubscribed = true;
  return bucket;
});

/** One made anew, or that lost its end, is read from its beginning: what it lacks is not thereby taken away. */
const beginAgainIfReplaced = Effect.fnUntraced(function* (state: State, bucket: SwitchBucket) {
  const nowMillis = yield* steadyMillis;
  if (nowMillis - state.describedMillis < describeMillis) return;
  const now = yield* bucket.describe.pipe(
    // It is lost: with the next turn it is made anew, so that switches can be thrown and taken away.
    Effect.tapError(({ detail }) =>
      Effect.sync(() => {
        if (detail.includes("stream not found")) state.bucket = undefined;
      }),
    ),
  );
  state.describedMillis = nowMillis;
  const isSame = now.created === state.created && now.lastSequence >= state.position;
  if (!isSame) {
    if (state.created !== "") {
      yield* Effect.logError("The stored kill switches were replaced: those that were known stay in force.");
    }
    state.created = now.created;
    state.position = 0;
  }
});

/** What is in force by the clock now: told to whoever asked, to the metrics, the log and the disk. */
const refresh = Effect.fnUntraced(function* (state: State) {
  const nowMillis = yield* Clock.currentTimeMillis;
  const { position } = state;
  const changes = state.known.look(nowMillis);
  if (changes !== undefined) {
    state.unsaved = true;
    for (const listener of state.listeners) listener();
    yield* report(state, changes);
  }
  for (const each of state.known.takeEnding(nowMillis)) {
    yield* Effect.logWarning("A kill switch is about to end by itself: what it holds will go on.", linesOf(each));
  }
  if (state.unsaved) yield* save(state);
  // Only now: whoever waits for it may end this node next, and then the copy must have it.
  state.applied = position;
});

const save = (state: State): Effect.Effect<void> =>
  state.copy.save(state.known.current().all).pipe(
    Effect.andThen(Effect.sync(() => void (state.unsaved = false))),
    Effect.catch(({ detail, path }) =>
      Effect.logError("This node's copy of the kill switches cannot be written.", { path, detail }),
    ),
  );

const report = Effect.fnUntraced(function* ({ known }: State, { added, removed }: SwitchChanges) {
  for (const kind of switchKinds) yield* Metric.update(killSwitchesOf[kind], known.current().countOf(kind));
  for (const each of added) yield* Effect.logWarning("A kill switch is on.", linesOf(each));
  for (const each of removed) yield* Effect.logWarning("A kill switch is off.", linesOf(each));
});

const linesOf = (each: KillSwitch) => ({
  switch: nameOfSwitch(each),
  stops: each.stops,
  who: each.who,
  why: each.why,
  ...(each.untilMillis === undefined ? {} : { untilMillis: each.untilMillis }),
});

/** So that the store says it, too. Another node may be first; until the store is told it is tried with every turn. */
const tidyUp = Effect.fnUntraced(function* ({ bucket, ended, ending, known, options }: State) {
  for (const each of known.takeExpired(yield* Clock.currentTimeMillis)) ending.set(each.id, each);
  if (bucket === undefined) return;
  const author = { who: `spillway on ${options.nodeName}`, why: "its time was over" };
  for (const [id, each] of ending) {
    const told = yield* Effect.option(removeExpired(bucket, id, author));
    if (Option.isNone(told)) return;
    ending.delete(id);
    if (told.value) Queue.offerUnsafe(ended, each);
  }
});

const storeOf = (state: State): KillSwitchStore["Service"] => {
  const opened = Effect.suspend(() =>
    state.bucket === undefined
      ? Effect.fail(new SwitchNotWritten({ reason: "unavailable", detail: "the kill switches cannot be read yet" }))
      : Effect.succeed(state.bucket),
  );
  /** The stored one counts, whether this node has heard of it or not. */
  const awaitApplied = (revision: number) =>
    Effect.sync(() => state.applied >= revision).pipe(
      Effect.tap((done) => {
        Queue.offerUnsafe(state.hints, undefined);
        return done ? Effect.void : Effect.sleep(waitMillisMin);
      }),
      Effect.repeat({ until: (done) => done }),
      Effect.timeoutOption(appliedMillisMax),
      Effect.map(Option.isSome),
    );
  return KillSwitchStore.of({
    list: () => state.known.current().all,
    put: Effect.fnUntraced(function* (wanted, replace) {
      const { killSwitchesMax } = state.options;
      const revision = yield* putSwitch(yield* opened, wanted, { replace, killSwitchesMax });
      return yield* awaitApplied(revision);
    }),
    remove: Effect.fnUntraced(function* (id, author) {
      const known = state.known.current().all.find((each) => each.id === id);
      const removed = yield* removeSwitch(yield* opened, id, author, known);
      if (removed === undefined) return undefined;
      return { switch: removed.switch, applied: yield* awaitApplied(removed.revision) };
    }),
    ended: state.ended,
  });
};
