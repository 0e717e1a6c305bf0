import type { Manifest } from "../../snapshot/manifest.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";

interface Tally {
  jobs: number;
  enabled: number;
  customers: number;
}

/** Counts of a manifest, brought up to date segment by segment: a customer is in one segment only. */
export class Totals {
  private readonly all: Tally;
  private readonly datasets: Map<string, Tally>;

  constructor(before: Pick<Manifest, "totals" | "datasets"> | undefined) {
    this.all = { ...(before?.totals ?? { jobs: 0, enabled: 0, customers: 0 }) };
    this.datasets = new Map(Object.entries(before?.datasets ?? {}).map(([name, tally]) => [name, { ...tally }]));
  }

  replace(before: ReadonlyArray<SnapshotEntry>, after: ReadonlyArray<SnapshotEntry>): void {
    this.count(before, -1);
    this.count(after, 1);
  }

  private count(entries: ReadonlyArray<SnapshotEntry>, sign: 1 | -1): void {
    const customers = new Set<string>();
    const pairs = new Set<string>();
    for (const { customer, dataset, state } of entries) {
      if (state === "removed") continue;
      const ofDataset = this.datasets.get(dataset) ?? { jobs: 0, enabled: 0, customers: 0 };
      this.datasets.set(dataset, ofDataset);
      for (const tally of [this.all, ofDataset]) {
        tally.jobs += sign;
        if (state === "enabled") tally.enabled += sign;
      }
      if (!customers.has(customer)) this.all.customers += sign;
      customers.add(customer);
      const pair = `${customer}.${dataset}`;
      if (!pairs.has(pair)) ofDataset.customers += sign;
      pairs.add(pair);
    }
  }

  get(): Pick<Manifest, "totals" | "datasets"> {
    const datasets = [...this.datasets].filter(([, { jobs }]) => jobs > 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return {
      totals: { ...this.all },
      datasets: Object.fromEntries(datasets.map(([name, tally]) => [name, { ...tally }])),
    };
  }
}
