/** How a crashed buffer goes on. Pure. */
export type AfterCrash =
  | { readonly _tag: "Restart"; readonly delayMillis: number }
  /** It has crashed too often: what it holds, or its settings, make it crash. */
  | { readonly _tag: "Quarantine"; readonly crashes: number };

export interface CrashPolicy {
  readonly quarantineCrashesMax: number;
  readonly quarantineWindowMillis: number;
}

const restartMillis = { first: 100, max: 30_000 };

/** @param crashes when it crashed, epoch millis, this time included */
export const afterCrash = (crashes: ReadonlyArray<number>, policy: CrashPolicy): AfterCrash => {
  const last = crashes.at(-1) ?? 0;
  const within = crashes.filter((millis) => last - millis < policy.quarantineWindowMillis).length;
  return within >= policy.quarantineCrashesMax
    ? { _tag: "Quarantine", crashes: within }
    : {
        _tag: "Restart",
        delayMillis: Math.min(restartMillis.max, restartMillis.first * 2 ** Math.min(within - 1, 16)),
      };
};
