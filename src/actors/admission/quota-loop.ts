import { Effect, Metric } from "effect";
import { customersOverQuota } from "../../observability/admission-metrics.ts";
import type { Buffer } from "../buffer/buffer.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { WaitingBuffer } from "../residency/waiting-buffer.ts";
import { type BacklogFacts, judgeBacklogs, type QuotaEvent, type QuotaLimits } from "./quota.ts";

const quotaMillis = 1_000;

/** Holds every customer's backlog against its quota, over the partitions of this node. */
export const quotaLoop = (
  owned: ReadonlyMap<number, { readonly state: PartitionState }>,
  limits: QuotaLimits,
): Effect.Effect<never> => Effect.forever(Effect.andThen(Effect.sleep(quotaMillis), judge(owned, limits)));

const judge = Effect.fnUntraced(function* (
  owned: ReadonlyMap<number, { readonly state: PartitionState }>,
  limits: QuotaLimits,
) {
  const states = [...owned.values()].map(({ state }) => state);
  const now = yield* steadyMillis;
  const resident = states.flatMap((state) => [...state.buffers.values()].map((buffer) => ({ state, buffer })));
  const buffers = resident.map(({ buffer }) => buffer);
  const waiting = states.flatMap((state) => [...state.waitingBuffers.values()].map((buffer) => ({ state, buffer })));
  const facts = [...resident.map((at) => factsOf(at, now)), ...waiting.map((at) => waitingFactsOf(at, now))];
  const events = judgeBacklogs(facts, limits);
  for (const [i, event] of events.entries()) {
    if (event === undefined) continue;
    if (i < buffers.length) yield* tell(buffers[i]!, event);
    else yield* refuseWaiting(waiting[i - buffers.length]!, event);
  }
  const over = facts.filter((_, i) =>
    i < buffers.length
      ? buffers[i]!.actor?.flow().startsWith("overloaded.") === true
      : isRefused(waiting[i - buffers.length]!),
  );
  yield* Metric.update(customersOverQuota, new Set(over.map(({ customer }) => customer)).size);
  for (const state of states) noteRefused(state);
});

/** A buffer in its partition. */
interface At<B> {
  readonly state: PartitionState;
  readonly buffer: B;
}

/** By the log's clock: a node whose own is an hour ahead must not take every backlog for an hour older. */
const ageMillisOf = ({ buffer, state }: At<Pick<Buffer, "pendingSinceMillis">>, now: number): number => {
  const { pendingSinceMillis } = buffer;
  return pendingSinceMillis === undefined ? 0 : (state.clock.at(now) ?? pendingSinceMillis) - pendingSinceMillis;
};

const factsOf = (at: At<Buffer>, now: number): BacklogFacts => {
  const { actor, ledger, live, newest } = at.buffer;
  return {
    customer: newest.job.customer,
    policy: newest.job.onOverload ?? "refuse",
    pendingBytes: ledger.pendingBytes,
    ageMillis: ageMillisOf(at, now),
    live,
    flow: actor?.flow(),
  };
};

type WaitingAt = At<WaitingBuffer>;

const isRefused = ({ buffer, state }: WaitingAt): boolean => state.waiting.get(buffer.jobId)?.refusing !== undefined;

/** Without an actor nothing can be shed: until it has a place, what is too much is refused, whatever its job says. */
const waitingFactsOf = (at: WaitingAt, now: number): BacklogFacts => ({
  customer: at.buffer.pairKey.slice(0, at.buffer.pairKey.indexOf(".")),
  policy: "refuse",
  pendingBytes: at.buffer.pendingBytes,
  ageMillis: ageMillisOf(at, now),
  live: false,
  flow: isRefused(at) ? "overloaded.refuse" : "waiting",
});

const refuseWaiting = ({ buffer, state }: WaitingAt, event: QuotaEvent): Effect.Effect<void> => {
  const { jobId: job, pairKey, pendingBytes } = buffer;
  const entry = state.waiting.get(job);
  if (entry === undefined) return Effect.void;
  const isOver = event.type === "backlog.exceeded";
  state.waiting.set(job, { ...entry, refusing: isOver ? pairKey : undefined });
  return isOver
    ? Effect.logWarning("A backlog without a place is over its quota.", { job, pairKey, pendingBytes })
    : Effect.logInfo("A backlog without a place is within its quota again.", { job, pairKey });
};

const tell = (buffer: Buffer, event: QuotaEvent): Effect.Effect<void> => {
  const { actor, ledger, newest, pendingSinceMillis } = buffer;
  const { job } = newest;
  // A backlog may be too old and still fit in a window, behind a dead destination: then it lags from now on.
  if (event.type === "backlog.exceeded" && buffer.live) buffer.giveUpWindow();
  actor?.send(event);
  const line = { customer: job.customer, dataset: job.dataset, job: job.id };
  return event.type === "backlog.eased"
    ? Effect.logInfo("A backlog is within its quota again.", line)
    : Effect.logWarning("A backlog is over its quota.", {
        ...line,
        policy: event.policy,
        pendingBytes: ledger.pendingBytes,
        pendingSinceMillis,
      });
};

/** Forwarders hear of a change at once, of the rest with the next report. */
const noteRefused = (state: PartitionState): void => {
  const refusing = new Set<string>();
  for (const { actor, pairKey } of state.buffers.values()) {
    if (actor?.flow() === "overloaded.refuse") refusing.add(pairKey);
  }
  for (const { refusing: pairKey } of state.waiting.values()) if (pairKey !== undefined) refusing.add(pairKey);
  const isSame = refusing.size === state.refusing.size && [...refusing].every((key) => state.refusing.has(key));
  if (isSame) return;
  state.refusing = refusing;
  state.reportWanted.raise();
};
