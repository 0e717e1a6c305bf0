import { Schema } from "effect";
import { isId } from "./ids.ts";

/** What a kill switch is about. `everything` has no target. */
export const switchKinds = ["destination", "customer", "dataset", "everything"] as const;
export const SwitchKind = Schema.Literals(switchKinds);
export type SwitchKind = typeof SwitchKind.Type;

/**
 * `delivery`: no push of these jobs begins; their records are stored and wait. `intake`: their records are refused at
 * the door, and so stay with the producer. `both`: both.
 */
export const switchStops = ["delivery", "intake", "both"] as const;
export const SwitchStops = Schema.Literals(switchStops);
export type SwitchStops = typeof SwitchStops.Type;

/** A person's order to stop something now, as it is stored and shown. */
export const KillSwitch = Schema.Struct({
  /** Follows from kind and target: there is at most one switch of each. */
  id: Schema.String,
  kind: SwitchKind,
  /** A destination host as `GET /v1/hosts` names it, a customer, a dataset; empty for `everything`. */
  target: Schema.String,
  stops: SwitchStops,
  /** Who says that they did it, and their reason; empty when they gave none. */
  who: Schema.String,
  why: Schema.String,
  /** Epoch millis. */
  sinceMillis: Schema.Int,
  /** From then on it is off by itself; absent: only when somebody takes it away. */
  untilMillis: Schema.optionalKey(Schema.Int),
});
export type KillSwitch = typeof KillSwitch.Type;

/** Whether its time is not over. */
export const isInForce = ({ untilMillis }: Pick<KillSwitch, "untilMillis">, nowMillis: number): boolean =>
  untilMillis === undefined || untilMillis > nowMillis;

/** What is to be stopped. */
export type SwitchTarget = Pick<KillSwitch, "kind" | "target">;

/**
 * A key of the store and a segment of a URL. What a key must not hold is written as `=` and two hexadecimal digits, so
 * that no two targets share an id.
 */
export const switchIdOf = ({ kind, target }: SwitchTarget): string =>
  kind === "everything" ? kind : `${kind}-${target.replaceAll(/[^A-Za-z0-9._-]|\.(?=\.|$)/g, escaped)}`;

const escaped = (char: string): string => `=${char.charCodeAt(0).toString(16).padStart(2, "0")}`;

const hostPattern = /^[a-z0-9._:[\]-]{1,255}$/;

/** Hosts are compared as URLs have them: in small letters. */
export const normalTarget = ({ kind, target }: SwitchTarget): SwitchTarget => ({
  kind,
  target: kind === "destination" ? target.toLowerCase() : target,
});

/** Why nothing can be stopped by this name; undefined when it can. */
export const targetProblem = ({ kind, target }: SwitchTarget, stops: SwitchStops): string | undefined => {
  if (kind === "everything") return target === "" ? undefined : "everything takes no target";
  if (kind !== "destination") return isId(target) ? undefined : `"${target.slice(0, 100)}" is no name of a ${kind}`;
  if (!hostPattern.test(target)) {
    return `"${target.slice(0, 100)}" is no destination host: name it as \`spillway hosts\` does, such as logs.example.com:8443`;
  }
  return stops === "delivery" ? undefined : "a destination has no intake: only its delivery can be stopped";
};

/** For people: `customer c-17`. */
export const nameOfSwitch = ({ kind, target }: SwitchTarget): string =>
  kind === "everything" ? kind : `${kind} ${target}`;
