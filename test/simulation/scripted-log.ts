import { Clock, Deferred, Effect, Layer } from "effect";
import { gzipSync } from "node:zlib";
import { type Chunk, Log, type LogMessage, LogUnavailable, type Writer } from "../../src/actors/ports/log.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import type { Own, ReferenceLog } from "./reference-batches.ts";

/** In a record that every destination refuses. */
export const poisonMark = " poison";

const strangers = Buffer.from("not of this chunk\n");

/** A partition's log in memory. What it holds is the truth that a simulation checks everything else against. */
export class ScriptedLog {
  readonly incarnation = "2024-11-14T00:00:00Z";
  /** All that there ever were. */
  readonly messages: Array<LogMessage> = [];
  /** Everything up to here has left the log. */
  purgedTo = 0;
  /** Whether what is purged leaves it. */
  purges = false;
  /** By so much the server's clock is ahead of the nodes'. */
  aheadMillis = 0;
  /** Sequences that repeat an earlier message. */
  readonly duplicates = new Set<number>();
  /** Uncompressed content by chunk. */
  private readonly raw = new Map<Chunk, Uint8Array>();
  private readonly own = new Map<string, Array<Own>>();
  private readonly written = new Map<string, number>();
  /** How likely a record is one that every destination refuses. */
  poison: (records: number) => ReadonlySet<number> = () => new Set();
  private wrote = Deferred.makeUnsafe<void>();

  /** Of the forwarders, at this moment. */
  jobSet = 0;

  append(millis: number, writer: Writer | undefined, chunks: ReadonlyArray<Chunk>, isDuplicate = false): LogMessage {
    const sequence = this.messages.length + 1;
    const records = chunks.reduce((sum, chunk) => sum + chunk.records, 0);
    const message = { sequence, millis, writer, jobSet: writer === undefined ? 0 : this.jobSet, records, chunks };
    this.messages.push(message);
    if (isDuplicate) this.duplicates.add(sequence);
    else
      for (const chunk of chunks)
        this.ownOf(chunk.pairKey).push({ ...chunk, sequence, millis, raw: this.raw.get(chunk)! });
    Deferred.doneUnsafe(this.wrote, Effect.void);
    this.wrote = Deferred.makeUnsafe<void>();
    return message;
  }

  /** A chunk of lines that no other chunk holds. */
  chunk(pairKey: string, records: number, encoding: Chunk["encoding"]): Chunk {
    const before = this.written.get(pairKey) ?? 0;
    this.written.set(pairKey, before + records);
    const poisoned = this.poison(records);
    const lines = Array.from({ length: records }, (_, i) => {
      const number = String(before + i).padStart(6, "0");
      return `${pairKey} ${number}${poisoned.has(i) ? poisonMark : ""}\n`;
    });
    return this.chunkOf(pairKey, Buffer.from(lines.join("")), records, encoding);
  }

  /** A chunk of these lines. */
  chunkOf(pairKey: string, raw: Buffer, records: number, encoding: Chunk["encoding"]): Chunk {
    const stored = encoding === "raw" ? raw : gzipSync(raw, { level: 1 });
    // Between the bytes of others, as in the body of a mux message.
    const data = Buffer.concat([strangers, stored, strangers]);
    const [from, to] = [strangers.length, strangers.length + stored.length];
    const chunk: Chunk = { pairKey, records, bytes: raw.length, encoding, data, from, to };
    this.raw.set(chunk, raw);
    return chunk;
  }

  /** The chunks of a pair after `start` that are in the log for the first time. */
  referenceFor(pairKey: string, start: number): ReferenceLog {
    const own = this.ownOf(pairKey);
    return { messages: this.messages, own: start === 0 ? own : own.filter(({ sequence }) => sequence > start) };
  }

  private ownOf(pairKey: string): Array<Own> {
    let own = this.own.get(pairKey);
    if (own === undefined) this.own.set(pairKey, (own = []));
    return own;
  }

  layer(dice: Dice, life: Life) {
    return Layer.succeed(Log, this.service(dice, life));
  }

  service(dice: Dice, life: Life): Log["Service"] {
    return {
      read: (_, sequence) =>
        Effect.suspend(() => Effect.sleep(dice.int(0, 20))).pipe(
          Effect.andThen(Effect.suspend(() => life.unlessFaulty(dice, 0.03, unavailable("read")))),
          Effect.andThen(
            Effect.sync(() => {
              const from = Math.max(sequence - 1, this.purgedTo);
              return this.messages.slice(from, from + dice.int(1, 12));
            }),
          ),
        ),
      tick: () =>
        life.unlessFaulty(dice, 0.1, unavailable("tick")).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.map((millis) => void this.append(millis + this.aheadMillis, undefined, [])),
        ),
      describe: () =>
        Effect.map(Clock.currentTimeMillis, (nowMillis) => ({
          incarnation: this.incarnation,
          firstSequence: this.purgedTo + 1,
          lastSequence: this.messages.length,
          // One byte a message: so a limit in bytes is one in messages.
          bytes: this.messages.length - this.purgedTo,
          ...(this.purges
            ? { firstMillis: this.messages[this.purgedTo]?.millis, nowMillis: nowMillis + this.aheadMillis }
            : {}),
        })),
      purge: (_, sequence) =>
        Effect.sync(() => {
          if (this.purges && !life.isDead) this.purgedTo = Math.max(this.purgedTo, sequence);
        }),
      waitForWrite: (_, millis) => Effect.ignore(Effect.timeoutOption(Deferred.await(this.wrote), millis)),
    };
  }
}

const unavailable = (operation: LogUnavailable["operation"]) => new LogUnavailable({ operation, detail: "scripted" });
