import type { Buffer } from "../actors/buffer/buffer.ts";
import type { Reading } from "../actors/ports/alert-signals.ts";
import { type AlertRule, type AlertSignal, isBreached } from "../domain/alert-rule.ts";
import { unexplained } from "../domain/books.ts";
import type { Limits } from "../domain/limits.ts";
import { factsOfBuffer, type JobFacts, jobReading, type JobSignal, jobSignals } from "./job-facts.ts";
import { WorstFew } from "./worst-few.ts";

export interface JobFindingsOptions {
  readonly rules: ReadonlyArray<AlertRule>;
  readonly limits: Limits;
}

/** What one walk over a node's push jobs finds: the worst few of each signal, and what the books cannot explain. */
export class JobFindings {
  readonly limits: Limits;
  readonly nowMillis: number;
  private readonly worst: ReadonlyArray<{
    readonly signal: JobSignal;
    readonly rules: ReadonlyArray<AlertRule>;
    readonly few: WorstFew<JobFacts>;
  }>;
  private unexplainedRecords = 0;

  constructor({ limits, rules }: JobFindingsOptions, nowMillis: number) {
    this.limits = limits;
    this.nowMillis = nowMillis;
    this.worst = jobSignals.map((signal) => {
      const own = rules.filter((rule) => rule.signal === signal);
      const most = Math.max(limits.alertsPerRuleMax, ...own.map(({ alertsMax }) => alertsMax ?? 0));
      return { signal, rules: own, few: new WorstFew<JobFacts>(most * 2) };
    });
  }

  look(buffer: Buffer): void {
    // A surplus of one job must not hide what another one lacks.
    this.unexplainedRecords += Math.abs(unexplained(buffer.ledger.books()).records);
    if (buffer.newest.job.enabled) this.judge(factsOfBuffer(buffer));
  }

  /** Of a job that is to deliver, be its buffer in memory or not. */
  judge(facts: JobFacts): void {
    for (const { few, rules, signal } of this.worst) {
      const value = jobReading(signal, facts, this);
      if (value === "unknown") continue;
      few.add(
        value,
        rules.some((rule) => isBreached(rule, value)),
        facts,
      );
    }
  }

  readings(): { readonly list: ReadonlyArray<Reading>; readonly unlisted: ReadonlyMap<AlertSignal, number> } {
    const ofJobs = this.worst.flatMap(({ few, signal }) =>
      few.list().map(({ of: { customer, job }, value }) => ({ signal, labels: { job, customer }, value })),
    );
    return {
      list: [...ofJobs, { signal: "unexplainedRecords", labels: {}, value: this.unexplainedRecords }],
      unlisted: new Map(this.worst.map(({ few, signal }) => [signal, few.unlisted()] as const)),
    };
  }
}
