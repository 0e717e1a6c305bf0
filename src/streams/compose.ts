import { gzip, gzipSync } from "node:zlib";
import { chunkSubject, muxSubject } from "./subjects.ts";
import { compressMux, frameMux, framePlain } from "./chunk.ts";
import type { StreamMessage } from "./atomic-batch.ts";
import { type Planned, releaseRaw } from "./gather.ts";

/** Running numbers of one forwarder incarnation in one partition. */
export class Numbering {
  readonly incarnation: string;
  private number = 0;
  private records = 0;
  /** How many of the last numbers may be absent from the log. */
  private absent = 0;
  /** The last declaration of absent numbers, which is lost when its own number turns out to be absent too. */
  private declared = { number: 0, absent: 0 };

  constructor(incarnation: string) {
    this.incarnation = incarnation;
  }

  next(records: number) {
    this.number += 1;
    const writer = {
      incarnation: this.incarnation,
      number: this.number,
      absent: this.absent,
      recordsBefore: this.records,
    };
    if (this.absent > 0) this.declared = { number: this.number, absent: this.absent };
    this.records += records;
    this.absent = 0;
    return writer;
  }

  /** The last `count` numbers turned out to be repeats of an older request: they may be missing from the log. */
  forget(count: number): void {
    this.absent += count;
    if (this.declared.number > this.number - count) this.absent += this.declared.absent;
  }
}

/** Compressed bodies of a plan, ready to be numbered. Compression runs in the thread pool, all at once. */
export const compress = (plan: ReadonlyArray<Planned>): Promise<ReadonlyArray<Uint8Array>> =>
  Promise.all(
    plan.map(async (message) => {
      const body = await (message.kind === "plain" ? gzipMember(message.raw) : compressMux(message.raw));
      releaseRaw(message);
      return body;
    }),
  );

/** Below this a thread hop costs more than it saves. */
const asyncBytesMin = 65_536;

const gzipMember = (raw: Uint8Array): Promise<Uint8Array> =>
  raw.length < asyncBytesMin
    ? Promise.resolve(gzipSync(raw, { level: 1, chunkSize: Math.max(1_024, raw.length >> 2) }))
    : new Promise((resolve, reject) =>
        // One output buffer, one trip to the thread pool: by default each 16 KB of output is a trip of its own.
        gzip(raw, { level: 1, chunkSize: raw.length >> 3 }, (error, result) =>
          error === null ? resolve(result) : reject(error),
        ),
      );

/** A write of a keyed request: its messages are the request's in this partition from `firstMessage` on. */
export interface KeyedPart {
  readonly key: string;
  readonly firstMessage: number;
}

/**
 * The messages of one write, final: a resend sends exactly these. The key replaces the running number in the message
 * ids of a keyed request, so that the same request sent again, even through another process, is a duplicate.
 */
export const compose = (
  partition: number,
  plan: ReadonlyArray<Planned>,
  bodies: ReadonlyArray<Uint8Array>,
  numbering: Numbering,
  jobSet: number,
  keyed: KeyedPart | undefined,
): ReadonlyArray<StreamMessage> =>
  plan.map((message, i) => {
    const { kind, pairs, records } = message;
    const writer = numbering.next(records.reduce((sum, each) => sum + each, 0));
    const messageId =
      keyed === undefined
        ? `${writer.incarnation}/${partition}/${writer.number}`
        : `${keyed.key}/${partition}/${keyed.firstMessage + i}`;
    return {
      subject: kind === "plain" ? chunkSubject(partition, pairs[0]!.key) : muxSubject(partition),
      messageId,
      data:
        kind === "plain"
          ? framePlain(writer, jobSet, message, bodies[i]!)
          : frameMux(writer, jobSet, message, bodies[i]!),
    };
  });
