import type { PartitionState } from "../actors/partition/partition-state.ts";
import type { Absent, Reading } from "../actors/ports/alert-signals.ts";
import { briefOf, type JobSet } from "../actors/ports/jobs.ts";
import type { Limits } from "../domain/limits.ts";
import { factsOfBuffer, factsOfRow, factsOfWaiting, jobReading, type JobSignal } from "./job-facts.ts";

/**
 * A signal's value for a job that was not found on the last walk: it may have given its place in memory up, and
 * then its row says how it is; or another node has its partition now, and then it is not for this one to say.
 */
export const absentJobReading = (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  signal: JobSignal,
  labels: Reading["labels"],
  at: { readonly limits: Limits; readonly nowMillis: number },
): Absent => {
  const job = labels["job"] ?? "";
  const brief = briefOf(set, job);
  // A job that is gone, or was disabled on purpose, is nobody's trouble any more.
  if (brief === undefined || !brief.enabled) return 0;
  const state = states.find(({ isOwn }) => isOwn(brief.pairKey));
  if (state === undefined) return "elsewhere";
  // It is being taken over or given up: for a moment nothing in it says anything.
  if (!state.isAdopted || state.isClosing) return "unknown";
  const buffer = state.buffers.get(job);
  if (buffer !== undefined) return jobReading(signal, factsOfBuffer(buffer), at);
  const waiting = state.waitingBuffers.get(job);
  if (waiting !== undefined) return jobReading(signal, factsOfWaiting(waiting), at);
  const row = state.rows.get(job);
  return row === undefined ? 0 : jobReading(signal, factsOfRow(row), at);
};
