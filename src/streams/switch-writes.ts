import { Clock, Effect, Schema } from "effect";
import { isInForce, type KillSwitch, nameOfSwitch } from "../domain/kill-switch.ts";
import type { DirectGetFailed } from "./direct-get.ts";
import type { NatsError } from "./nats.ts";
import type { StoredSwitch, SwitchBucket } from "./switch-bucket.ts";

/** A change of a kill switch that was not made. `unavailable`: nobody knows whether it was. */
export class SwitchNotWritten extends Schema.TaggedError<SwitchNotWritten>()("SwitchNotWritten", {
  reason: Schema.Literals(["exists", "tooMany", "conflict", "unavailable"]),
  /** For people: one line. */
  detail: Schema.String,
}) {}

/** Who changes it, and why. */
export interface SwitchAuthor {
  readonly who: string;
  readonly why: string;
}

/** Somebody else, or a node that notes that its time is over, may write in between: then it is looked at anew. */
const attemptsMax = 5;
const othersWrite = "others change it all the time: look, then try again";

/** Turns a switch on; durable when it completes, with its revision. */
export const putSwitch = Effect.fn("switches.put")(function* (
  bucket: SwitchBucket,
  wanted: KillSwitch,
  options: {
    /** One of the same target that is on already is replaced, without a moment in which none is. */
    readonly replace: boolean;
    readonly killSwitchesMax: number;
  },
): Effect.fn.Return<number, SwitchNotWritten> {
  for (let tried = 0; tried < attemptsMax; tried++) {
    const latest = yield* Effect.mapError(bucket.latest(wanted.id), unavailable);
    const isOn = isOnAt(latest?.stored, yield* Clock.currentTimeMillis);
    if (isOn && !options.replace) {
      return yield* refused("exists", `the kill switch for ${nameOfSwitch(wanted)} is on already: take it away first`);
    }
    if (!isOn) yield* checkRoom(bucket, options.killSwitchesMax);
    const stored = { on: true, switch: wanted };
    const revision = yield* Effect.mapError(bucket.write(stored, latest?.revision ?? 0), unavailable);
    if (revision !== undefined) return revision;
  }
  return yield* refused("conflict", othersWrite);
});

/**
 * Turns a switch off; undefined: it is not on.
 *
 * @param known as the caller has it, for one that the store has lost
 */
export const removeSwitch = Effect.fn("switches.remove")(function* (
  bucket: SwitchBucket,
  id: string,
  author: SwitchAuthor,
  known: KillSwitch | undefined,
): Effect.fn.Return<{ readonly switch: KillSwitch; readonly revision: number } | undefined, SwitchNotWritten> {
  for (let tried = 0; tried < attemptsMax; tried++) {
    const latest = yield* Effect.mapError(bucket.latest(id), unavailable);
    const stored = typeof latest?.stored === "object" ? latest.stored : undefined;
    const found = stored?.on === true ? stored.switch : known;
    if (found === undefined) return undefined;
    const removed = { ...author, millis: yield* Clock.currentTimeMillis };
    const entry = { on: false, switch: found, removed };
    const revision = yield* Effect.mapError(bucket.write(entry, latest?.revision ?? 0), unavailable);
    if (revision !== undefined) return { switch: found, revision };
  }
  return yield* refused("conflict", othersWrite);
});

/** Notes that a switch's time is over; false when somebody has given it more, or was first: of all nodes one is. */
export const removeExpired = Effect.fn("switches.removeExpired")(function* (
  bucket: SwitchBucket,
  id: string,
  author: SwitchAuthor,
) {
  const latest = yield* bucket.latest(id);
  const stored = typeof latest?.stored === "object" ? latest.stored : undefined;
  const millis = yield* Clock.currentTimeMillis;
  if (stored?.on !== true || isInForce(stored.switch, millis)) return false;
  const entry = { on: false, switch: stored.switch, removed: { ...author, millis } };
  return (yield* bucket.write(entry, latest?.revision ?? 0)) !== undefined;
});

/** Those that are on, as the store has them now. */
export const readSwitches = Effect.fnUntraced(function* (
  bucket: SwitchBucket,
): Effect.fn.Return<ReadonlyArray<KillSwitch>, NatsError | DirectGetFailed> {
  const { entries } = yield* bucket.readAfter(0);
  const nowMillis = yield* Clock.currentTimeMillis;
  const last = new Map<string, StoredSwitch>();
  for (const { id, stored } of entries) {
    if (stored === "deleted") last.delete(id);
    else if (stored !== "unreadable") last.set(id, stored);
  }
  return [...last.values()].filter((stored) => isOnAt(stored, nowMillis)).map((each) => each.switch);
});

/** Two who add the last one at the same moment may get one more: the bound is for memory and eyes, not for safety. */
const checkRoom = Effect.fnUntraced(function* (bucket: SwitchBucket, killSwitchesMax: number) {
  const on = yield* Effect.mapError(readSwitches(bucket), unavailable);
  if (on.length < killSwitchesMax) return;
  return yield* refused(
    "tooMany",
    `${on.length} kill switches are on (killSwitchesMax): take one away, or use a wider one`,
  );
});

const isOnAt = (stored: StoredSwitch | "unreadable" | "deleted" | undefined, nowMillis: number): boolean =>
  typeof stored === "object" && stored.on && isInForce(stored.switch, nowMillis);

const refused = (reason: SwitchNotWritten["reason"], detail: string) =>
  Effect.fail(new SwitchNotWritten({ reason, detail }));

const unavailable = ({ detail }: NatsError | DirectGetFailed) =>
  new SwitchNotWritten({ reason: "unavailable", detail: `the kill switches cannot be read or written: ${detail}` });
