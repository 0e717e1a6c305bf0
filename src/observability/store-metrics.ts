import { Metric } from "effect";

/** Stores that a node starts without: it delivers by its last known good, and takes no change until they are open. */
export const storeNames = ["jobs", "configurations", "audit", "deadLetters"] as const;
export type StoreName = (typeof storeNames)[number];

const notOpen = Metric.gauge("spillway_store_not_open", {
  description: "1 for each store that this node has not been able to open since it started; it goes on trying.",
});
export const storeNotOpen = (store: StoreName) => Metric.withAttributes(notOpen, { store });
