import { PushScheduler, type SchedulerOptions } from "../../../src/actors/destination-host/push-scheduler.ts";
import type { PlaceRequest, PushTicket } from "../../../src/actors/destination-host/ticket.ts";
import { deferred, delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";

export const good = delivered(200);
export const refusedConnection = deferred("connection-refused", "refused", { ambiguous: false });
export const noAnswer = deferred("timeout", "no answer");
export const serverError = deferred("server-error", "500", { status: 500 });
export const throttled = (retryAfterMillis?: number): PushOutcome =>
  deferred("throttled", "429", { status: 429, retryAfterMillis, ambiguous: false });

const defaults: SchedulerOptions = {
  pushesInFlightMax: 256,
  slowPushesInFlightMax: 1_024,
  pushSlowMillis: 2_000,
  pushesPerHostFirst: 4,
  pushesPerHostMax: 128,
  circuit: { failuresMax: 5, openMillisFirst: 1_000, openMillisMax: 8_000 },
  order: "fair",
};

/** A push as a test sees it. */
export interface Asked {
  readonly ticket: PushTicket;
  readonly job: string;
  began: boolean;
  refused: { readonly reason: string; readonly retryAfterMillis: number } | undefined;
}

/** A scheduler with a clock of its own, and the pushes that were asked for. */
export class SchedulerUnderTest {
  nowMillis = 1_000_000;
  readonly scheduler: PushScheduler;
  /** Jobs in the order in which their pushes began. */
  readonly order: Array<string> = [];
  private readonly all: Array<Asked> = [];
  private readonly timers = new Set<{ readonly atMillis: number; readonly run: () => void }>();

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new PushScheduler(
      { ...defaults, ...options },
      {
        nowMillis: () => this.nowMillis,
        jitter: () => 0.5,
        after: (millis, run) => {
          const timer = { atMillis: this.nowMillis + millis, run };
          this.timers.add(timer);
          return () => void this.timers.delete(timer);
        },
      },
    );
  }

  ask(job: string, host: string, more: Partial<Pick<PlaceRequest, "weight" | "bytes" | "attempt">> = {}): Asked {
    const asked: { -readonly [K in keyof Asked]?: Asked[K] } = { job, began: false };
    asked.ticket = this.scheduler.enter({
      job,
      host,
      weight: 1,
      bytes: 1_000,
      attempt: 1,
      ...more,
      begin: () => {
        asked.began = true;
        this.order.push(job);
      },
      refuse: (reason, retryAfterMillis) => (asked.refused = { reason, retryAfterMillis }),
    });
    this.all.push(asked as Asked);
    return asked as Asked;
  }

  answer({ ticket }: Asked, outcome: PushOutcome | undefined = good): void {
    this.scheduler.leave(ticket, outcome);
  }

  inFlight(): ReadonlyArray<Asked> {
    return this.all.filter(({ ticket }) => ticket.state === "fast" || ticket.state === "slow");
  }

  /** One push from beginning to end. */
  push(job: string, host: string, outcome: PushOutcome = good): Asked {
    const asked = this.ask(job, host);
    if (asked.began) this.answer(asked, outcome);
    return asked;
  }

  pass(millis: number): void {
    const untilMillis = this.nowMillis + millis;
    for (;;) {
      const due = [...this.timers].filter(({ atMillis }) => atMillis <= untilMillis);
      const [first] = due.toSorted((a, b) => a.atMillis - b.atMillis);
      if (first === undefined) break;
      this.timers.delete(first);
      this.nowMillis = first.atMillis;
      first.run();
    }
    this.nowMillis = untilMillis;
  }

  report(host: string) {
    return this.scheduler.report(1_000).find((each) => each.host === host);
  }
}
