import { isInForce, type KillSwitch } from "../domain/kill-switch.ts";
import { noSwitches, SwitchSet } from "../domain/switch-set.ts";
import type { SwitchEntry } from "./switch-bucket.ts";

/** Of what is left of a switch's time, so much is worth a warning; and of a long one this. */
const warnShare = 0.2;
const warnMillisMax = 300_000;

/** What became of the switches since somebody asked last. */
export interface SwitchChanges {
  readonly added: ReadonlyArray<KillSwitch>;
  readonly removed: ReadonlyArray<KillSwitch>;
}

/**
 * The kill switches that a node knows. Only what says so takes one away: neither an entry that cannot be read nor one
 * that is missing does, for whoever switched something off relies on it.
 */
export class KnownSwitches {
  private readonly known = new Map<string, KillSwitch>();
  private readonly warned = new Set<string>();
  private set = noSwitches;

  constructor(from: ReadonlyArray<KillSwitch>) {
    for (const each of from) this.known.set(each.id, each);
  }

  /** Those in force at the last `look`. */
  current(): SwitchSet {
    return this.set;
  }

  /** Answers the ids of entries that cannot be read, in the order of the store. */
  apply(entries: ReadonlyArray<SwitchEntry>): ReadonlyArray<string> {
    const unreadable: Array<string> = [];
    for (const { id, stored } of entries) {
      if (stored === "unreadable") unreadable.push(id);
      else if (stored === "deleted" || !stored.on) this.known.delete(id);
      else this.known.set(id, stored.switch);
    }
    return unreadable;
  }

  /** Makes a new set when one is due; undefined: nothing has changed. */
  look(nowMillis: number): SwitchChanges | undefined {
    const before = new Set(this.set.all);
    const now = [...this.known.values()].filter((each) => isInForce(each, nowMillis));
    const added = now.filter((each) => !before.has(each));
    const kept = new Set(now);
    const removed = this.set.all.filter((each) => !kept.has(each));
    if (added.length === 0 && removed.length === 0) return undefined;
    this.set = new SwitchSet(now);
    return { added, removed };
  }

  /** Whose time is over, each once: it is forgotten here, and is to be taken out of the store. */
  takeExpired(nowMillis: number): ReadonlyArray<KillSwitch> {
    const expired = [...this.known.values()].filter((each) => !isInForce(each, nowMillis));
    for (const { id } of expired) this.known.delete(id);
    return expired;
  }

  /** Whose time is over soon, each once. */
  takeEnding(nowMillis: number): ReadonlyArray<KillSwitch> {
    const ending = this.set.all.filter((each) => isEnding(each, nowMillis) && !this.warned.has(nameOf(each)));
    this.warned.clear();
    for (const each of this.set.all) if (isEnding(each, nowMillis)) this.warned.add(nameOf(each));
    return ending;
  }
}

/** One that was given more time is another one. */
const nameOf = ({ id, untilMillis }: KillSwitch): string => `${id} ${untilMillis}`;

const isEnding = ({ sinceMillis, untilMillis }: KillSwitch, nowMillis: number): boolean =>
  untilMillis !== undefined &&
  untilMillis - nowMillis <= Math.min(warnMillisMax, (untilMillis - sinceMillis) * warnShare);
