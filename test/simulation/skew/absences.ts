import type { JobSet } from "../../../src/actors/ports/jobs.ts";
import { decodeRemoval } from "../../../src/snapshot/removal.ts";
import { jobIds, type JobLedger } from "./job-ledger.ts";

/** What one run of a node has served, as far as its sets may be without a job. */
export interface NodeMemory {
  /** Jobs that it had, and since when its snapshots lack them without an order. */
  readonly lacking: Map<string, number | undefined>;
}

/**
 * From which number on a job was in every set that may say something of it. A set that is without a job too early does
 * not count: then its records are due all the same.
 */
export class Absences {
  /** By job: the highest number of a set that was rightly without it. */
  private readonly last = new Map<string, number>();
  private readonly ledger: JobLedger;
  private readonly graceMillis: number;

  constructor(ledger: JobLedger, graceMillis: number) {
    this.ledger = ledger;
    this.graceMillis = graceMillis;
  }

  /** A node is about to serve this snapshot. */
  adopt(number: number, { lacking }: NodeMemory, nowMillis: number): void {
    for (const id of jobIds) {
      const entry = this.ledger.at(number).entries.get(id);
      if (entry !== undefined && entry.state !== "removed") lacking.set(id, undefined);
      else if (lacking.has(id)) lacking.set(id, lacking.get(id) ?? nowMillis);
    }
  }

  /** A node has made this set. */
  see({ byId, number }: JobSet, memory: NodeMemory, nowMillis: number): void {
    for (const id of jobIds) {
      if (byId.has(id) || !this.mayBeWithout(number, id, memory, nowMillis)) continue;
      this.last.set(id, Math.max(number, this.to(id)));
    }
  }

  /** Up to this number there were sets without it. */
  to(id: string): number {
    return this.last.get(id) ?? 0;
  }

  private mayBeWithout(number: number, id: string, { lacking }: NodeMemory, nowMillis: number): boolean {
    const entry = this.ledger.at(number).entries.get(id);
    const removal = entry?.state === "removed" ? decodeRemoval(entry.data) : undefined;
    if (removal !== undefined) return nowMillis >= removal.millis + this.graceMillis;
    if (entry !== undefined) return false;
    // Rolled back to before it was there: only who had it knows of it.
    const since = lacking.get(id);
    return since === undefined || nowMillis >= since + this.graceMillis;
  }
}
