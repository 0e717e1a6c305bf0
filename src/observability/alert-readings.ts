import { Context, Effect, Layer } from "effect";
import type { AlertSignal } from "../domain/alert-rule.ts";

/** Signals that somebody has to say: nothing in this node can be looked at to find them out. */
const toldSignals = [
  "configRefused",
  "rolloutRolledBack",
  "rolloutHalted",
  "nodesDiverge",
  "snapshotStale",
  "killSwitchOn",
] as const satisfies ReadonlyArray<AlertSignal>;
export type ToldSignal = (typeof toldSignals)[number];

export const isTold = (signal: AlertSignal): signal is ToldSignal =>
  (toldSignals as ReadonlyArray<AlertSignal>).includes(signal);

export interface ToldReading {
  readonly signal: ToldSignal;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Over this a new set of labels is not taken: more than there can be kill switches, and whatever else is told. */
const readingsMax = 2_000;

/** Where the configuration's path and the kill switches leave what alerts are judged by. Costs nothing to write to. */
export class AlertReadings extends Context.Service<
  AlertReadings,
  {
    /** Holds until it is set anew or cleared. Labels are few and short: a rule's name, a switch's. */
    readonly set: (signal: ToldSignal, labels: Readonly<Record<string, string>>, value: number) => Effect.Effect<void>;
    /** Of one set of labels; without labels given, of all. It is well. */
    readonly clear: (signal: ToldSignal, labels?: Readonly<Record<string, string>>) => Effect.Effect<void>;
    /** It is known no more: neither that it goes on nor that it is over. */
    readonly forget: (signal: ToldSignal, labels: Readonly<Record<string, string>>) => Effect.Effect<void>;
    readonly list: () => ReadonlyArray<ToldReading>;
    readonly isForgotten: (signal: ToldSignal, labels: Readonly<Record<string, string>>) => boolean;
  }
>()("spillway/observability/AlertReadings") {
  static readonly layer = Layer.sync(AlertReadings, () => {
    const held = new Map<string, ToldReading>();
    const forgotten = new Map<string, ToldSignal>();
    return AlertReadings.of({
      set: (signal, labels, value) =>
        Effect.sync(() => {
          const key = keyOf(signal, labels);
          forgotten.delete(key);
          if (held.has(key) || held.size < readingsMax) held.set(key, { signal, labels, value });
        }),
      clear: (signal, labels) =>
        Effect.sync(() => {
          if (labels !== undefined) {
            forgotten.delete(keyOf(signal, labels));
            held.delete(keyOf(signal, labels));
            return;
          }
          for (const [key, reading] of held) if (reading.signal === signal) held.delete(key);
          for (const [key, of] of forgotten) if (of === signal) forgotten.delete(key);
        }),
      forget: (signal, labels) =>
        Effect.sync(() => {
          const key = keyOf(signal, labels);
          if (held.delete(key) && forgotten.size < readingsMax) forgotten.set(key, signal);
        }),
      list: () => [...held.values()],
      isForgotten: (signal, labels) => forgotten.has(keyOf(signal, labels)),
    });
  });
}

const keyOf = (signal: string, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify([signal, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
