import { Effect } from "effect";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import { briefOf, briefsOf, type JobSet } from "../actors/ports/jobs.ts";
import { accountIn } from "../actors/residency/accounts.ts";
import { hostOf } from "../destinations/host-of.ts";
import type { SwitchTarget } from "../domain/kill-switch.ts";
import type { OwnedBacklog, SwitchEffect } from "../domain/switch-effect.ts";

/** There may be a million jobs, and records keep coming meanwhile: some 20 ms. */
const turnJobsMax = 2_000;

interface Brief {
  readonly enabled: boolean;
  readonly pairKey: string;
}

/** Whether a switch of this target stops this job. */
const stops = (set: JobSet, { kind, target }: SwitchTarget, id: string, { enabled, pairKey }: Brief): boolean => {
  if (!enabled) return false;
  switch (kind) {
    case "everything":
      return true;
    case "customer":
      return pairKey.startsWith(`${target}.`);
    case "dataset":
      return pairKey.endsWith(`.${target}`);
    case "destination":
      // Only for this one all of a job is looked at.
      return hostOfJob(set, id) === target;
  }
};

const hostOfJob = (set: JobSet, id: string): string | undefined => {
  const stored = set.byId.get(id);
  return stored === undefined ? undefined : hostOf(stored.job.destination);
};

/** Calls back for each enabled job that a switch stops, until it says that it has seen enough. */
const eachStopped = Effect.fnUntraced(function* (
  set: JobSet,
  target: SwitchTarget,
  isEnough: (id: string, pairKey: string) => boolean,
) {
  let seen = 0;
  for (const [id, brief] of briefsOf(set)) {
    seen += 1;
    if (seen % turnJobsMax === 0) yield* Effect.yieldNow;
    if (stops(set, target, id, brief) && isEnough(id, brief.pairKey)) return;
  }
});

/** Whether a switch stops any job at all. */
export const stopsAnyJob = Effect.fn("node.stopsAnyJob")(function* (set: JobSet, target: SwitchTarget) {
  let found = false;
  yield* eachStopped(set, target, () => (found = true));
  return found;
});

/** The jobs that a switch stops, in numbers: the same on every node, for each knows all jobs. */
export const jobsSwitched = Effect.fn("node.jobsSwitched")(function* (
  set: JobSet,
  target: SwitchTarget,
): Effect.fn.Return<Pick<SwitchEffect, "jobs" | "customers" | "datasets" | "destinations">> {
  const customers = new Set<string>();
  const datasets = new Set<string>();
  const hosts = new Set<string>();
  let jobs = 0;
  yield* eachStopped(set, target, (id, pairKey) => {
    const [customer = "", dataset = ""] = pairKey.split(".");
    jobs += 1;
    customers.add(customer);
    datasets.add(dataset);
    const host = target.kind === "destination" ? target.target : hostOfJob(set, id);
    if (host !== undefined) hosts.add(host);
    return false;
  });
  return { jobs, customers: customers.size, datasets: datasets.size, destinations: hosts.size };
});

/** What waits in these partitions for the jobs that a switch stops: costs what is in memory, not what hibernates. */
export const backlogSwitched = (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  target: SwitchTarget,
): OwnedBacklog => {
  const total = { buffers: 0, backlogRecords: 0, backlogBytes: 0 };
  for (const state of states) {
    // What hibernates has nothing that waits.
    const ids = new Set([...state.buffers.keys(), ...state.waitingBuffers.keys(), ...state.waiting.keys()]);
    for (const id of ids) {
      const pending = accountIn(state, id)?.books.pending;
      if (pending === undefined || pending.records === 0) continue;
      const brief = briefOf(set, id);
      if (brief === undefined || !stops(set, target, id, brief)) continue;
      total.buffers += 1;
      total.backlogRecords += pending.records;
      total.backlogBytes += pending.bytes;
    }
  }
  return { partitions: states.map(({ partition }) => partition), ...total };
};
