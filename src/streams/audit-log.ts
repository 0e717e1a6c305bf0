import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Clock, Effect, Option, Schema, Semaphore } from "effect";
import { AuditEntry, type AuditNote, type AuditVerdict } from "../domain/audit-entry.ts";
import { apiCodes, storeAtomically } from "./atomic-batch.ts";
import { brokenLink, chainStart, sealed } from "./audit-chain.ts";
import { createStream } from "./create-stream.ts";
import { directGet } from "./direct-get.ts";
import { attempt, Nats, type NatsError } from "./nats.ts";
import { auditStream, auditSubject } from "./subjects.ts";

/** The audit log takes or gives nothing now. `full`: it has no room, and nothing of it may be thrown away. */
export class AuditUnavailable extends Schema.TaggedError<AuditUnavailable>()("AuditUnavailable", {
  reason: Schema.Literals(["unavailable", "full"]),
  detail: Schema.String,
}) {}

export interface AuditPage {
  readonly entries: ReadonlyArray<AuditEntry>;
  /** `after` of the next page; undefined: there are no more. */
  readonly next: number | undefined;
}

/** A chain of entries in a stream of its own, to which entries can be added and from which none can be taken. */
export interface AuditLog {
  /** Durable when it completes, with its number. */
  readonly append: (note: AuditNote) => Effect.Effect<number, AuditUnavailable>;
  /** Entries after that number, ascending; without one the newest `limit`. */
  readonly list: (after: number | undefined, limit: number) => Effect.Effect<AuditPage, AuditUnavailable>;
  /** Reads all of it and recomputes the chain; looks for the entry of a head that somebody has kept. */
  readonly verify: (kept?: string) => Effect.Effect<AuditVerdict, AuditUnavailable>;
}

export interface AuditLogOptions {
  readonly replicas: number;
  readonly nodeName: string;
  readonly auditBytesMax: number;
}

const answerMillisMax = 5_000;
const sliceMessages = 1_000;
const sliceBytes = 4_194_304;
/** Another node may append meanwhile: so often is the entry made anew behind theirs. */
const attemptsMax = 20;

const managerOf = (control: NatsConnection) =>
  attempt("manage", () => jetstreamManager(control, { checkAPI: false, timeout: answerMillisMax }));

/** Creates the stream if it is absent. */
export const createAuditStream = Effect.fn("AuditLog.create")(function* (
  options: Pick<AuditLogOptions, "auditBytesMax" | "replicas">,
) {
  const { control } = yield* Nats;
  // Made by another version or with another size: what is there is what counts.
  yield* createStream(yield* managerOf(control), {
    name: auditStream,
    subjects: [auditSubject],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: options.auditBytesMax,
    num_replicas: options.replicas,
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
    description: "Who changed what in Spillway, when and why: a chain of hashes.",
  });
});

export const openAuditLog = (options: AuditLogOptions) =>
  Effect.andThen(createAuditStream(options), bindAuditLog(options, Effect.void));

/**
 * The log, without a request: its stream may be created later.
 *
 * @param opened fails until it is there: so long nothing is appended
 */
export const bindAuditLog = Effect.fnUntraced(function* (
  options: Pick<AuditLogOptions, "nodeName">,
  opened: Effect.Effect<void, NatsError>,
) {
  const { control } = yield* Nats;
  const manager = yield* Effect.orDie(managerOf(control));
  const oneAtATime = yield* Semaphore.make(1);

  const write = (entry: AuditEntry) =>
    storeAtomically(control, [{ subject: auditSubject, data: Buffer.from(JSON.stringify(entry)) }], {
      batchId: entry.hash,
      timeoutMillis: answerMillisMax,
      guard: { subject: auditSubject, lastSequence: entry.number - 1 },
    });

  const append = Effect.fnUntraced(function* (note: AuditNote) {
    let sent: AuditEntry | undefined;
    for (let tried = 0; tried < attemptsMax; tried++) {
      const last = yield* lastOf(manager);
      // The answer to the attempt before was lost, and it had landed.
      if (sent !== undefined && last?.hash === sent.hash) return last.number;
      sent = sealed({
        ...note,
        number: (last?.number ?? 0) + 1,
        millis: yield* Clock.currentTimeMillis,
        node: options.nodeName,
        previous: last?.hash ?? chainStart,
      });
      const stored = yield* Effect.result(write(sent));
      if (stored._tag === "Success") return sent.number;
      const error = stored.failure;
      if (error._tag === "StreamSilent") continue;
      if (error.code !== apiCodes.wrongLastSequence) return yield* refused(error.description);
    }
    const detail = "others write all the time, or nobody answers";
    return yield* new AuditUnavailable({ reason: "unavailable", detail });
  });

  const slice = Effect.fnUntraced(function* (after: number, messagesMax: number) {
    const messages = yield* directGet(control, {
      stream: auditStream,
      sequence: after + 1,
      messagesMax,
      bytesMax: sliceBytes,
      timeoutMillis: answerMillisMax,
    }).pipe(Effect.mapError(unavailable));
    return messages.map(({ data, sequence }) => ({ sequence, entry: decodeEntry(data) }));
  });

  return {
    // One after the other on this node: only nodes compete.
    append: (note) => Effect.andThen(Effect.mapError(opened, unavailable), oneAtATime.withPermits(1)(append(note))),
    list: Effect.fnUntraced(function* (asked, limit) {
      const after = asked ?? Math.max(0, ((yield* lastOf(manager))?.number ?? 0) - limit);
      const read = yield* slice(after, Math.min(limit, sliceMessages));
      const entries = read.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
      const last = read.at(-1)?.sequence;
      const isMore = last !== undefined && (yield* slice(last, 1)).length > 0;
      return { entries, next: isMore ? last : undefined };
    }),
    verify: Effect.fnUntraced(function* (kept?: string): Effect.fn.Return<AuditVerdict, AuditUnavailable> {
      let number = 0;
      let previous = chainStart;
      let keptAt = kept === chainStart ? 0 : null;
      const found = () => (kept === undefined ? {} : { keptAt });
      while (true) {
        const read = yield* slice(number, sliceMessages);
        if (read.length === 0) break;
        for (const { entry, sequence } of read) {
          const problem =
            sequence !== number + 1
              ? `entries before it are gone: ${number + 1} to ${sequence - 1}`
              : entry === undefined
                ? "it cannot be read"
                : brokenLink(entry, number + 1, previous);
          if (problem !== undefined || entry === undefined)
            return { entries: number, whole: false, brokenAt: sequence, problem: problem!, head: previous, ...found() };
          number = entry.number;
          previous = entry.hash;
          if (entry.hash === kept) keptAt = number;
        }
      }
      return { entries: number, whole: true, head: previous, ...found() };
    }),
  } satisfies AuditLog;
});

const refused = (description: string) =>
  Effect.fail(
    description.includes("maximum bytes exceeded")
      ? new AuditUnavailable({
          reason: "full",
          detail: "the audit log is full: export it (spillway audit --json) and give the stream AUDIT more bytes",
        })
      : new AuditUnavailable({ reason: "unavailable", detail: description }),
  );

const unavailable = ({ detail }: { readonly detail: string }) =>
  new AuditUnavailable({ reason: "unavailable", detail });

const lastOf = (manager: JetStreamManager) =>
  attempt("read", () => manager.streams.getMessage(auditStream, { last_by_subj: auditSubject })).pipe(
    Effect.mapError(unavailable),
    Effect.flatMap((message) => {
      if (message === null) return Effect.undefined;
      const entry = decodeEntry(message.data);
      // Nothing may follow what nobody can read: the chain would begin anew.
      return entry === undefined || entry.number !== message.seq
        ? Effect.fail(
            new AuditUnavailable({
              reason: "unavailable",
              detail:
                `its last entry (${message.seq}) is damaged, and nothing may follow it: ` +
                "see “The audit log's last entry is damaged” in docs/OPERATING.md",
            }),
          )
        : Effect.succeed(entry);
    }),
  );

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(AuditEntry));

const decodeEntry = (data: Uint8Array): AuditEntry | undefined =>
  Option.getOrUndefined(decode(Buffer.from(data).toString()));
