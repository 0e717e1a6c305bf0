import { Context, Effect, Layer } from "effect";
import type { AlertSignal } from "../domain/alert-rule.ts";

/** Signals that somebody has to say: nothing in this node can be looked at to find them out. */
export type ToldSignal = Extract<
  AlertSignal,
  "configRefused" | "rolloutRolledBack" | "nodesDiverge" | "snapshotStale" | "killSwitchOn"
>;

export interface ToldReading {
  readonly signal: ToldSignal;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Over this a new set of labels is not taken: whoever reads makes no more of them anyway. */
const readingsMax = 1_000;

/** Where the configuration's path and the kill switches leave what alerts are judged by. Costs nothing to write to. */
export class AlertReadings extends Context.Service<
  AlertReadings,
  {
    /** Holds until it is set anew or cleared. Labels are few and short: a rule's name, a switch's. */
    readonly set: (signal: ToldSignal, labels: Readonly<Record<string, string>>, value: number) => Effect.Effect<void>;
    /** Of one set of labels; without labels given, of all. */
    readonly clear: (signal: ToldSignal, labels?: Readonly<Record<string, string>>) => Effect.Effect<void>;
    readonly list: () => ReadonlyArray<ToldReading>;
  }
>()("spillway/observability/AlertReadings") {
  static readonly layer = Layer.sync(AlertReadings, () => {
    const held = new Map<string, ToldReading>();
    return AlertReadings.of({
      set: (signal, labels, value) =>
        Effect.sync(() => {
          const key = keyOf(signal, labels);
          if (held.has(key) || held.size < readingsMax) held.set(key, { signal, labels, value });
        }),
      clear: (signal, labels) =>
        Effect.sync(() => {
          if (labels !== undefined) return void held.delete(keyOf(signal, labels));
          for (const [key, reading] of held) if (reading.signal === signal) held.delete(key);
        }),
      list: () => [...held.values()],
    });
  });
}

const keyOf = (signal: string, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify([signal, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
