import { Effect } from "effect";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import { briefsOf, type JobSet } from "../actors/ports/jobs.ts";
import { accountIn } from "../actors/residency/accounts.ts";
import { hostOf } from "../destinations/host-of.ts";
import type { SwitchTarget } from "../domain/kill-switch.ts";
import type { OwnedBacklog, SwitchEffect } from "../domain/switch-effect.ts";

/** There may be a million jobs, and records keep coming meanwhile. */
const turnJobsMax = 2_000;

/** A job that a switch stops. */
interface Stopped {
  readonly id: string;
  readonly customer: string;
  readonly dataset: string;
  readonly pairKey: string;
}

/** Calls back for each enabled job that this switch stops. */
const eachStopped = Effect.fnUntraced(function* (
  set: JobSet,
  { kind, target }: SwitchTarget,
  use: (stopped: Stopped) => void,
) {
  let seen = 0;
  for (const [id, { enabled, pairKey }] of briefsOf(set)) {
    seen += 1;
    if (seen % turnJobsMax === 0) yield* Effect.yieldNow;
    if (!enabled) continue;
    const [customer = "", dataset = ""] = pairKey.split(".");
    const stops =
      kind === "everything" ||
      (kind === "customer" && customer === target) ||
      (kind === "dataset" && dataset === target) ||
      // Only then is all of the job looked at.
      (kind === "destination" && hostOfJob(set, id) === target);
    if (stops) use({ id, customer, dataset, pairKey });
  }
});

const hostOfJob = (set: JobSet, id: string): string | undefined => {
  const stored = set.byId.get(id);
  return stored === undefined ? undefined : hostOf(stored.job.destination);
};

/** The jobs that a switch stops, in numbers: the same on every node, for each knows all jobs. */
export const jobsSwitched = Effect.fn("node.jobsSwitched")(function* (
  set: JobSet,
  target: SwitchTarget,
): Effect.fn.Return<Pick<SwitchEffect, "jobs" | "customers" | "datasets" | "destinations">> {
  const customers = new Set<string>();
  const datasets = new Set<string>();
  const hosts = new Set<string>();
  let jobs = 0;
  yield* eachStopped(set, target, ({ customer, dataset, id }) => {
    jobs += 1;
    customers.add(customer);
    datasets.add(dataset);
    const host = kindHasOneHost(target) ? target.target : hostOfJob(set, id);
    if (host !== undefined) hosts.add(host);
  });
  return { jobs, customers: customers.size, datasets: datasets.size, destinations: hosts.size };
});

const kindHasOneHost = ({ kind }: SwitchTarget): boolean => kind === "destination";

/** What waits in these partitions for the jobs that a switch stops. */
export const backlogSwitched = Effect.fn("node.backlogSwitched")(function* (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  target: SwitchTarget,
): Effect.fn.Return<OwnedBacklog> {
  const total = { buffers: 0, backlogRecords: 0, backlogBytes: 0 };
  const byPartition = new Map(states.map((state) => [state.partition, state]));
  yield* eachStopped(set, target, ({ id, pairKey }) => {
    const state = byPartition.get(set.pairs.get(pairKey)?.partition ?? -1);
    const pending = state === undefined ? undefined : accountIn(state, id)?.books.pending;
    if (pending === undefined || pending.records === 0) return;
    total.buffers += 1;
    total.backlogRecords += pending.records;
    total.backlogBytes += pending.bytes;
  });
  return { partitions: [...byPartition.keys()], ...total };
});
