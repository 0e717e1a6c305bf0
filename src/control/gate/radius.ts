import type { BlastRadius, JobChanges } from "../../domain/blast-radius.ts";
import type { Manifest } from "../../snapshot/manifest.ts";
import type { Change, ChangeKind } from "./changes.ts";

/** Names of jobs are kept for people, so many of a kind. */
const examplesMax = 10;

const none: JobChanges = { added: 0, removed: 0, disabled: 0, enabled: 0, restored: 0, redirected: 0, edited: 0 };
const jobKinds: ReadonlySet<string> = new Set(Object.keys(none));

/** Uncompressed bytes a second of a pair in recent traffic; undefined: not measured. */
export type TrafficOf = (pairKey: string) => number | undefined;

/** Adds up changes, however many: only counts and some names stay. */
export class RadiusTally {
  readonly jobs: { -readonly [K in keyof JobChanges]: number } = { ...none };
  readonly examples = new Map<ChangeKind, Array<string>>();
  readonly counts = new Map<ChangeKind, number>();
  /** Removed or disabled, by dataset. */
  readonly stoppedByDataset = new Map<string, number>();
  readonly customers = new Set<string>();
  private readonly traffic: TrafficOf;
  private readonly bytes = { added: 0, removed: 0, redirected: 0 };
  private isMeasured = false;

  constructor(traffic: TrafficOf) {
    this.traffic = traffic;
  }

  add(change: Change): void {
    const { customer, dataset, id, kind } = change;
    if (jobKinds.has(kind)) this.jobs[kind as keyof JobChanges] += 1;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const examples = this.examples.get(kind) ?? [];
    this.examples.set(kind, examples);
    if (examples.length < examplesMax) examples.push(id);
    this.customers.add(customer);
    if (stops(change)) this.stoppedByDataset.set(dataset, (this.stoppedByDataset.get(dataset) ?? 0) + 1);
    this.addTraffic(change);
  }

  private addTraffic(change: Change): void {
    const bytes = this.traffic(`${change.customer}.${change.dataset}`);
    if (bytes === undefined) return;
    this.isMeasured = true;
    if (stops(change)) this.bytes.removed += bytes;
    else if (change.kind === "redirected") this.bytes.redirected += bytes;
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
export const stops = ({ after, before }: Change): boolean => before?.state === "enabled" && after?.state !== "enabled";
