import { seededRandom, shuffle } from "./seeded-random.ts";

/** One request: `records` records of one customer, with the global indices from `first` on. */
export interface PlannedBody {
  readonly customer: number;
  readonly first: number;
  readonly records: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly records: number;
  readonly customers: number;
  readonly bodyRecordsMax: number;
  /** `skewed`: few customers send most, as in life (Zipf's law with exponent 0.7). */
  readonly distribution: "uniform" | "skewed";
}

/** Who sends how much, cut into bodies and mixed up by the seed. Indices rise in the order of the list. */
export const planBodies = (options: PlanOptions): ReadonlyArray<PlannedBody> => {
  const random = seededRandom(options.seed ^ 0x706c616e);
  const left = shareOut(options, shuffle(ranks(options.customers), random));
  const turns = left.flatMap((records, customer) =>
    Array.from({ length: Math.ceil(records / options.bodyRecordsMax) }, () => customer),
  );
  let first = 0;
  return shuffle(turns, random).map((customer) => {
    const records = Math.min(options.bodyRecordsMax, left[customer] ?? 0);
    const body = { customer, first, records };
    left[customer] = (left[customer] ?? 0) - records;
    first += records;
    return body;
  });
};

const ranks = (count: number): Array<number> => Array.from({ length: count }, (_, rank) => rank);

/** Records per customer, at least one each as long as there are enough; their sum is exact. */
const shareOut = (options: PlanOptions, rankOf: ReadonlyArray<number>): Array<number> => {
  const exponent = options.distribution === "skewed" ? 0.7 : 0;
  const weights = rankOf.map((rank) => (rank + 1) ** -exponent);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const spare = Math.max(0, options.records - options.customers);
  const shares = weights.map(
    (weight, customer) => (customer < options.records ? 1 : 0) + Math.floor((spare * weight) / total),
  );
  let missing = options.records - shares.reduce((sum, share) => sum + share, 0);
  for (let customer = 0; missing > 0; customer = (customer + 1) % shares.length, missing--) {
    shares[customer] = (shares[customer] ?? 0) + 1;
  }
  return shares;
};
