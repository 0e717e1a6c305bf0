import { Effect, Layer } from "effect";
import type { ReplayInput, ReplayShown } from "../../src/api/replay-reports.ts";
import { type ReplayNotStarted, ReplaysAdmin } from "../../src/api/replays-port.ts";

/** Replays that go one step further each time that they are looked at. */
export class FakeReplays {
  replays: Array<ReplayShown> = [];
  asked: Array<{ readonly job: string; readonly input: ReplayInput }> = [];
  refusal: ReplayNotStarted | undefined;
  /** How a replay ends. */
  end: "done" | "failed" = "done";

  private step(): void {
    this.replays = this.replays.map((replay) => {
      if (replay.state !== "running") return replay;
      const records = replay.records + 10;
      const percent = Math.min(100, replay.percent + 50);
      const state = percent === 100 ? this.end : "running";
      return { ...replay, records, percent, state, lastError: state === "failed" ? "Batch 1-9: timeout" : null };
    });
  }

  readonly layer = Layer.succeed(ReplaysAdmin, {
    start: (job, input) =>
      Effect.suspend(() => {
        this.asked.push({ job, input });
        if (this.refusal !== undefined) return Effect.fail(this.refusal);
        const replay: ReplayShown = {
          id: input.id ?? "0badcafe",
          job,
          customer: "acme",
          dataset: "http_requests",
          partition: 0,
          state: "running",
          from: 1,
          to: 9,
          sequence: 0,
          percent: 0,
          records: 0,
          bytes: 0,
          batches: 0,
          recordsRefused: 0,
          warnings: ["The log begins at sequence 1."],
          startedMillis: 1,
          endedMillis: null,
          lastError: null,
          nextAttemptMillis: null,
        };
        this.replays.unshift(replay);
        return Effect.succeed(replay);
      }),
    list: Effect.sync(() => {
      this.step();
      return this.replays;
    }),
    cancel: (id) =>
      Effect.sync(() => {
        this.replays = this.replays.map((replay) => (replay.id === id ? { ...replay, state: "cancelled" } : replay));
        return this.replays.find((replay) => replay.id === id);
      }),
  });
}
