import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { markExercised, readDrillMarks } from "../../src/streams/drill-marks.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats, quiet } from "../support/world.ts";

describeNats("marks of drills", (startNats) => {
  it.live("are none before the first, and the newest of each limit afterwards", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* readDrillMarks).size, 0);
        yield* markExercised("windowBytesMax", "isolation");
        yield* markExercised("jobsMax", "density");
        yield* markExercised("windowBytesMax", "surge");
        const marks = yield* readDrillMarks;
        assert.deepStrictEqual([...marks].map(([name, { drill }]) => `${name} ${drill}`).toSorted(), [
          "jobsMax density",
          "windowBytesMax surge",
        ]);
        assert.isAbove(marks.get("jobsMax")!.millis, 1_700_000_000_000);
      }).pipe(Effect.provide(layerNats(url)));
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
