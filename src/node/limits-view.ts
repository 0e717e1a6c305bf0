import { Effect } from "effect";
import { LimitsView } from "../api/limits-port.ts";
import type { LimitReport } from "../api/reports.ts";
import type { Limits } from "../domain/limits.ts";
import { unitOf } from "../domain/limit-unit.ts";
import { type DrillMark, readDrillMarks } from "../streams/drill-marks.ts";
import { Nats } from "../streams/nats.ts";
import { HighWater } from "./high-water.ts";
import { makeLimitUses } from "./limit-uses.ts";

export interface LimitsViewOptions {
  readonly limits: Limits;
  /** As shipped. */
  readonly defaults: Readonly<Record<string, number>>;
  readonly requestBytes: () => number;
}

/** How often uses are measured for their high-water mark, as long as the scope is open. */
const sampleMillis = 2_000;

/** Every limit with its use; answers also while NATS does not. */
export const makeLimitsView = Effect.fnUntraced(function* (options: LimitsViewOptions) {
  const nats = yield* Nats;
  const highWater = new HighWater(yield* makeLimitUses(options));
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(sampleMillis),
        Effect.sync(() => highWater.sample()),
      ),
    ),
  );
  const marks = yield* readDrillMarks.pipe(
    Effect.provideService(Nats, nats),
    Effect.timeout("3 seconds"),
    Effect.option,
    Effect.map((found) => (found._tag === "Some" ? found.value : undefined)),
    Effect.cachedWithTTL("5 seconds"),
  );
  return LimitsView.of({
    list: Effect.map(marks, (found) =>
      Object.entries(options.limits).map(([name, value]) =>
        reportOf(name, value, options.defaults[name], highWater, found),
      ),
    ),
  });
});

const reportOf = (
  name: string,
  value: number,
  shipped: number | undefined,
  highWater: HighWater,
  marks: ReadonlyMap<string, DrillMark> | undefined,
): LimitReport => ({
  name,
  value,
  unit: unitOf(name),
  ...(shipped === undefined ? {} : { default: shipped }),
  ...highWater.use(name),
  ...(marks === undefined ? {} : { exercised: marks.get(name) ?? null }),
});
