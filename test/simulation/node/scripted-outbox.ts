import { Clock, Effect } from "effect";
import { AckTimeout, type Outbox, OutboxFull, type RecordSpans } from "../../../src/actors/ports/outbox.ts";
import type { Writer } from "../../../src/actors/ports/log.ts";
import type { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import type { ScriptedLog } from "../scripted-log.ts";

/** One run of one forwarder: writes in order, one message per partition of a body, and may lose an answer. */
export class ScriptedOutbox {
  private readonly logs: ReadonlyArray<ScriptedLog>;
  private readonly writers: Array<Writer>;

  constructor(logs: ReadonlyArray<ScriptedLog>, incarnation: string) {
    this.logs = logs;
    this.writers = logs.map(() => ({ incarnation, number: 0, absent: 0, recordsBefore: 0 }));
  }

  service(dice: Dice, life: Life): Outbox["Service"] {
    return {
      bytes: () => 0,
      write: Effect.fnUntraced({ self: this }, function* (this: ScriptedOutbox, spans: RecordSpans) {
        if (life.faulty && dice.chance(0.03)) return yield* new OutboxFull({ retryAfterSeconds: 1 });
        yield* Effect.sleep(dice.int(0, 50));
        if (life.isDead) return yield* Effect.never;
        const answerIsLost = life.faulty && dice.chance(0.05);
        if (!answerIsLost || dice.chance(0.5)) this.append(dice, spans, yield* Clock.currentTimeMillis);
        yield* Effect.sleep(dice.int(0, 50));
        // Whoever dies here has stored it, and its producer does not know.
        if (life.isDead) return yield* Effect.never;
        if (answerIsLost) return yield* new AckTimeout({ retryAfterSeconds: 1 });
      }),
    };
  }

  private append(dice: Dice, { body, pairs, records, starts, stops }: RecordSpans, millis: number): void {
    for (const [partition, log] of this.logs.entries()) {
      const own = pairs.flatMap((pair, i) => (pair.partition === partition ? [i] : []));
      if (own.length === 0) continue;
      // Of one pair there is one chunk in a message, as `gather` makes them.
      const chunks = [...Map.groupBy(own, (i) => pairs[i]!.key)].map(([key, spans]) =>
        log.chunkOf(
          key,
          Buffer.concat(spans.map((i) => body.subarray(starts[i], stops[i]))),
          spans.reduce((sum, i) => sum + records[i]!, 0),
          dice.pick(["raw", "gzip"]),
        ),
      );
      const before = this.writers[partition]!;
      const writer = { ...before, number: before.number + 1 };
      const message = log.append(millis + log.aheadMillis, writer, chunks);
      this.writers[partition] = { ...writer, recordsBefore: before.recordsBefore + message.records };
    }
  }
}
