import { Effect, Layer } from "effect";
import { type Chunk, Log, type LogMessage } from "../../../src/actors/ports/log.ts";
import { messagesOf } from "./partition-fixture.ts";

/** A log that keeps account of how it is read, and that may lose its oldest. Each message has 100 bytes stored. */
export class KeptLog {
  messages: ReadonlyArray<LogMessage>;
  readonly lastSequence: number;
  /** The server's clock. */
  nowMillis = 0;
  /** Where each read began. */
  readonly reads: Array<number> = [];
  purgedTo = 0;
  /** Messages of one answer at most. */
  messagesMax = 10;
  /** What a read waits for. */
  onRead: () => Effect.Effect<void> = () => Effect.void;
  /** A replica that answers without its oldest although the leader has them. */
  replicaFrom = 0;

  constructor(entries: ReadonlyArray<{ readonly millis: number; readonly chunks: ReadonlyArray<Chunk> }>) {
    this.messages = messagesOf(entries);
    this.lastSequence = this.messages.length;
  }

  loseTo(sequence: number): void {
    this.messages = this.messages.filter((message) => message.sequence > sequence);
  }

  readonly layer = Layer.succeed(Log, {
    read: (_, from, bytesMax) =>
      Effect.suspend(() => {
        this.reads.push(from);
        const there = this.messages.filter(({ sequence }) => sequence >= Math.max(from, this.replicaFrom));
        return Effect.as(this.onRead(), there.slice(0, bytesMax === 1 ? 1 : this.messagesMax));
      }),
    tick: () => Effect.void,
    describe: () =>
      Effect.sync(() => ({
        incarnation: "i",
        firstSequence: this.messages[0]?.sequence ?? this.lastSequence + 1,
        lastSequence: this.lastSequence,
        bytes: this.messages.length * 100,
        firstMillis: this.messages[0]?.millis,
        nowMillis: this.nowMillis,
      })),
    purge: (_, sequence) =>
      Effect.sync(() => {
        this.purgedTo = sequence;
        this.loseTo(sequence);
      }),
    waitForWrite: (_, millis) => Effect.sleep(millis),
  });
}
