import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Effect } from "effect";
import type { Account } from "../actors/ports/changed-by.ts";
import type { PushJob } from "../domain/push-job.ts";
import { directGet } from "./direct-get.ts";
import { decodeStoredJob } from "./job-codec.ts";
import { attempt, NatsError } from "./nats.ts";
import { jobSubject } from "./subjects.ts";

/** One message of a push job's key. */
export interface JobRevision {
  readonly revision: number;
  /** The store's own time, epoch millis. */
  readonly millis: number;
  /** Undefined: removed, or it does not decode. */
  readonly job: PushJob | undefined;
  readonly removed: boolean;
  readonly account: Account;
  /** The revision whose settings it brought back, if it was a restore. */
  readonly restoreOf: number | undefined;
}

const headerOf = { who: "Spillway-Actor", why: "Spillway-Reason", restoreOf: "Spillway-Restores" };
const readsAtOnce = 8;
const answerMillisMax = 2_000;

/** What is stored with a revision beside the job. */
export const accountHeaders = ({ who, why }: Account, restoreOf?: number): Readonly<Record<string, string>> => ({
  ...(who === "" ? {} : { [headerOf.who]: lineOf(who) }),
  ...(why === "" ? {} : { [headerOf.why]: lineOf(why) }),
  ...(restoreOf === undefined ? {} : { [headerOf.restoreOf]: String(restoreOf) }),
});

/** A header is one line of printable characters. */
const lineOf = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, textMax);
const textMax = 500;

/**
 * Every revision of a job that the store remembers, oldest first. Empty: the key has no message.
 *
 * @param history how many there are at most
 */
export const readRevisions = Effect.fn("JobBucket.history")(function* (
  connection: NatsConnection,
  manager: JetStreamManager,
  id: string,
  { bytesMax, history, stream }: { readonly stream: string; readonly history: number; readonly bytesMax: number },
): Effect.fn.Return<ReadonlyArray<JobRevision>, NatsError> {
  const found = yield* directGet(connection, {
    stream,
    sequence: 1,
    subject: jobSubject(id),
    messagesMax: history,
    bytesMax: history * 2 * bytesMax,
    timeoutMillis: answerMillisMax,
  }).pipe(Effect.mapError((cause) => new NatsError({ operation: "kv", detail: cause.detail, cause })));
  const revisions = yield* Effect.forEach(
    found,
    ({ sequence }) => attempt("kv", () => manager.streams.getMessage(stream, { seq: sequence })),
    { concurrency: readsAtOnce },
  );
  return revisions.flatMap((message): ReadonlyArray<JobRevision> => {
    // It was the oldest, and another one has taken its place meanwhile.
    if (message === null) return [];
    const restoreOf = Number(message.header.get(headerOf.restoreOf));
    return [
      {
        revision: message.seq,
        millis: message.time.getTime(),
        job: decodeStoredJob(id, message.data),
        removed: message.header.get("KV-Operation") !== "",
        account: { who: message.header.get(headerOf.who), why: message.header.get(headerOf.why) },
        restoreOf: restoreOf > 0 ? restoreOf : undefined,
      },
    ];
  });
});
