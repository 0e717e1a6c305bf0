import { connect } from "@nats-io/transport-node";
import { Effect } from "effect";

/**
 * What somebody sees who listens beside the log: each write, atomic batch or single message, and its acknowledgement.
 */
export interface ObservedWrites {
  readonly messages: number;
  readonly writes: number;
  /** Writes that JetStream has answered. */
  readonly answered: number;
  /** Most writes that were unanswered at one moment, in one partition and in all. */
  readonly inFlightMax: number;
  readonly inFlightMaxOverall: number;
}

/** @param url the server itself, not a proxy: answers are seen though the writer does not get them */
export const observeWrites = Effect.fnUntraced(function* (url: string) {
  const connection = yield* Effect.acquireRelease(
    Effect.promise(() => connect({ servers: url, name: "observer" })),
    (open) => Effect.promise(() => open.close()),
  );
  const seen: { -readonly [Key in keyof ObservedWrites]: number } = {
    messages: 0,
    writes: 0,
    answered: 0,
    inFlightMax: 0,
    inFlightMaxOverall: 0,
  };
  const open = new Map<string, Set<string>>();
  const replies = new Map<string, () => void>();
  connection.subscribe("log.>", {
    callback: (_, { headers, reply, subject }) => {
      const partition = subject.split(".")[1]!;
      const own = open.get(partition) ?? new Set<string>();
      open.set(partition, own);
      seen.messages += 1;
      const batch = headers?.get("Nats-Batch-Id");
      const write = batch === undefined || batch === "" ? `single-${seen.messages}` : batch;
      if (!own.has(write)) seen.writes += 1;
      own.add(write);
      seen.inFlightMax = Math.max(seen.inFlightMax, own.size);
      seen.inFlightMaxOverall = Math.max(
        seen.inFlightMaxOverall,
        [...open.values()].reduce((sum, { size }) => sum + size, 0),
      );
      if (reply !== undefined && reply !== "") replies.set(reply, () => void own.delete(write));
    },
  });
  connection.subscribe("_INBOX.>", {
    callback: (_, { subject }) => {
      const landed = replies.get(subject);
      if (landed === undefined) return;
      replies.delete(subject);
      seen.answered += 1;
      landed();
    },
  });
  yield* Effect.promise(() => connection.flush());
  return seen;
});
