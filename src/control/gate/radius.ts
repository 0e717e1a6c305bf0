import type { BlastRadius, JobChanges } from "../../domain/blast-radius.ts";
import type { Manifest } from "../../snapshot/manifest.ts";
import type { Change, ChangeEffect, ChangeFault } from "./changes.ts";

/** Names of jobs are kept for people, so many of a kind. */
const examplesMax = 10;

const none: JobChanges = { added: 0, removed: 0, disabled: 0, enabled: 0, restored: 0, redirected: 0, edited: 0 };

type Kind = ChangeEffect | ChangeFault | "stopped";

/** Adds up changes, however many: only counts and some names stay. */
export class RadiusTally {
  readonly jobs: { -readonly [K in keyof JobChanges]: number } = { ...none };
  readonly faults: Record<ChangeFault, number> = { missing: 0, regressed: 0, forged: 0 };
  /** Delivered until now, and no more: a disabled job that is removed is none of them. */
  readonly stoppedByDataset = new Map<string, number>();
  readonly customers = new Set<string>();
  private readonly named = new Map<Kind, Array<string>>();
  private readonly bytes = { added: 0, removed: 0, redirected: 0 };
  private isMeasured = false;

  /** @param bytesPerSecond of one job of its segment, in recent traffic; undefined: not measured */
  add(change: Change, bytesPerSecond: number | undefined): void {
    const { customer, dataset, effect, fault, id } = change;
    if (effect !== undefined) {
      this.jobs[effect] += 1;
      this.name(effect, id);
    }
    if (fault !== undefined) {
      this.faults[fault] += 1;
      this.name(fault, id);
    }
    this.customers.add(customer);
    if (stops(change)) {
      this.stoppedByDataset.set(dataset, (this.stoppedByDataset.get(dataset) ?? 0) + 1);
      this.name("stopped", id);
    }
    if (bytesPerSecond !== undefined) this.addTraffic(change, bytesPerSecond);
  }

  /** Some of them. */
  examples(...kinds: ReadonlyArray<Kind>): ReadonlyArray<string> {
    return kinds.flatMap((kind) => this.named.get(kind) ?? []);
  }

  get stopped(): number {
    return [...this.stoppedByDataset.values()].reduce((sum, count) => sum + count, 0);
  }

  private name(kind: Kind, id: string): void {
    const ids = this.named.get(kind) ?? [];
    this.named.set(kind, ids);
    if (ids.length < examplesMax) ids.push(id);
  }

  private addTraffic(change: Change, bytes: number): void {
    this.isMeasured = true;
    if (stops(change)) this.bytes.removed += bytes;
    else if (change.effect === "redirected") this.bytes.redirected += bytes;
    else if (change.after?.state === "enabled" && change.before?.state !== "enabled") this.bytes.added += bytes;
  }

  radius(
    before: Manifest | undefined,
    after: Manifest,
    jobsMax: number,
    catalogue: BlastRadius["catalogue"],
  ): BlastRadius {
    const datasetsBefore = Object.keys(before?.datasets ?? {});
    const datasetsAfter = Object.keys(after.datasets);
    return {
      jobs: { ...this.jobs },
      buffers: { before: before?.totals.enabled ?? 0, after: after.totals.enabled },
      customers: {
        before: before?.totals.customers ?? 0,
        after: after.totals.customers,
        touched: this.customers.size,
      },
      catalogue,
      datasets: {
        added: datasetsAfter.filter((name) => !datasetsBefore.includes(name)),
        gone: datasetsBefore.filter((name) => !datasetsAfter.includes(name)),
      },
      ...(this.isMeasured ? { bytesPerSecond: rounded(this.bytes) } : {}),
      headroomUsedPercent: { jobs: (100 * after.totals.jobs) / jobsMax },
    };
  }
}

const rounded = ({ added, redirected, removed }: Readonly<Record<"added" | "redirected" | "removed", number>>) => ({
  added: Math.round(added),
  removed: Math.round(removed),
  redirected: Math.round(redirected),
});

/** It was delivered, and will be no more. */
const stops = ({ after, before }: Change): boolean => before?.state === "enabled" && after?.state !== "enabled";
