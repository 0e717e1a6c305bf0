import { Effect, Layer } from "effect";
import { ConfigConflict, ConfigControl, ConfigInvalid, SnapshotNotFound } from "../../src/api/config-port.ts";
import { ApiUnavailable } from "../../src/api/ports.ts";
import type { ConfigPlan, ConfigStatus, RolloutRecord, SnapshotName } from "../../src/domain/config-report.ts";

const idle = {
  state: "idle",
  target: null,
  base: null,
  percent: 0,
  steps: [1, 10, 50, 100],
  elapsedMillis: 0,
  watchMillis: 60_000,
  reason: "",
};

/** A control process whose answers the test decides. */
export class FakeConfig {
  down = false;
  /** Answered one after the other; the last one again and again. */
  statuses: Array<ConfigStatus> = [
    {
      leader: "fake",
      inForce: { number: 7, hash: "a".repeat(64), jobs: 12, enabled: 11, createdMillis: 0 },
      pending: 0,
      frozen: null,
      rollout: idle,
      refusal: null,
      last: null,
      nodes: [{ node: "fake", serves: { number: 7, hash: "a".repeat(64) }, refused: null, silentMillis: 0 }],
    },
  ];
  plan: ConfigPlan = { verdict: null, diff: { from: 7, to: 7, changes: [], more: 0 }, frozen: null, rollout: idle };
  history: Array<RolloutRecord> = [];
  /** What `apply` and `rollback` say that they have put on its way. */
  begun: SnapshotName | null = null;
  conflict: string | undefined;
  /** Says why what was asked for does not make sense. */
  invalid: string | undefined;
  /** There is no such snapshot. */
  missing: number | undefined;
  readonly asked: Array<readonly [op: string, request: unknown]> = [];
  statusesTold = 0;

  private status(): ConfigStatus {
    this.statusesTold += 1;
    return this.statuses.length > 1 ? this.statuses.shift()! : this.statuses[0]!;
  }

  private answer<A>(value: () => A) {
    return Effect.suspend(() =>
      this.down
        ? Effect.fail(new ApiUnavailable({ detail: "No control process answers (scripted)." }))
        : Effect.sync(value),
    );
  }

  private change(op: string) {
    return (request: unknown) =>
      Effect.gen({ self: this }, function* () {
        this.asked.push([op, request]);
        if (this.conflict !== undefined) return yield* new ConfigConflict({ message: this.conflict });
        if (this.invalid !== undefined) return yield* new ConfigInvalid({ message: this.invalid });
        if (this.missing !== undefined) return yield* new SnapshotNotFound({ number: this.missing });
        const isBeginning = op === "apply" || op === "rollback";
        return yield* this.answer(() => ({ ...this.status(), ...(isBeginning ? { begun: this.begun } : {}) }));
      });
  }

  readonly layer = Layer.succeed(ConfigControl, {
    status: this.answer(() => this.status()),
    plan: this.answer(() => this.plan),
    history: (limit) => this.answer(() => this.history.slice(0, limit)),
    diff: (from, to) =>
      to > 100
        ? Effect.fail(new SnapshotNotFound({ number: to }))
        : this.answer(() => ({ from, to, changes: this.plan.diff.changes, more: 0 })),
    apply: this.change("apply"),
    rollback: this.change("rollback"),
    freeze: this.change("freeze"),
    unfreeze: this.change("unfreeze"),
    halt: this.change("halt"),
    resume: this.change("resume"),
  });
}
