import { Effect, Layer } from "effect";
import {
  type Checkpoint,
  Checkpoints,
  CheckpointUnavailable,
  Fenced,
  type Receipt,
  type Register,
  type Row,
} from "../../src/actors/ports/checkpoints.ts";
import { decodeRow, encodeControl } from "../../src/streams/checkpoint-codec.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";

/** A partition's register and rows in memory: all or nothing in each part, guarded by the epoch, rows as bytes. */
export class ScriptedCheckpoints {
  register: Register | undefined;
  /**
   * The register as an owner last knew it to be stored: a write whose answer was lost may be followed by a lesser one.
   */
  known = { scan: 0, lowWater: 0 };
  /** As under their subjects: the same one again takes its own place. */
  readonly receipts = new Map<string, Receipt>();
  /** Last rows of jobs that are gone, the newest one of each life of a job. */
  readonly closed = new Map<string, Row>();
  /** Cuts by job that were durable at some time. */
  readonly cuts = new Map<string, Set<number>>();
  private readonly stored = new Map<string, Uint8Array>();
  private nonces = 0;
  /** Called after each write that changed something. */
  onWrite: () => void = () => undefined;

  rows(): ReadonlyArray<Row> {
    return [...this.stored.values()].map((bytes) => decodeRow(bytes)!);
  }

  layer(dice: Dice, life: Life) {
    return Layer.succeed(Checkpoints, this.service(dice, life));
  }

  service(dice: Dice, life: Life): Checkpoints["Service"] {
    return {
      inspect: () =>
        Effect.sync(() => ({ register: this.register, rows: this.rows(), receipts: [...this.receipts.values()] })),
      register: () => Effect.sync(() => this.register),
      claim: Effect.fnUntraced({ self: this }, function* (partition: number, owner: string, log) {
        yield* life.unlessFaulty(dice, 0.1, new CheckpointUnavailable({ partition, detail: "scripted" }));
        const register: Register = {
          ...(this.register ?? { scan: 0, snapshot: 0, writers: {}, duplicates: [], lowWater: 0 }),
          incarnation: this.register?.incarnation ?? log.incarnation,
          owner,
          epoch: (this.register?.epoch ?? 0) + 1,
          nonce: this.nonce(),
        };
        this.register = register;
        this.known = register;
        const damaged = new Set<string>();
        return {
          register,
          rows: this.rows(),
          damaged,
          write: (checkpoint: Checkpoint) => this.write(dice, life, checkpoint),
        };
      }),
    };
  }

  private nonce(): string {
    this.nonces += 1;
    return String(this.nonces);
  }

  /** In several guarded parts as a large checkpoint is, of which any may be the last before a crash or a failure. */
  private readonly write = Effect.fnUntraced(
    { self: this },
    function* (this: ScriptedCheckpoints, dice: Dice, life: Life, { receipts, register, rows }: Checkpoint) {
      const partition = 0;
      const size = dice.pick([1, 2, 100]);
      const parts = Array.from({ length: Math.max(1, Math.ceil(rows.length / size)) }, (_, i) =>
        rows.slice(i * size, (i + 1) * size).map((row): [string, Uint8Array] => [row.job, encodeControl(row)]),
      );
      for (const [i, part] of parts.entries()) {
        yield* Effect.sleep(dice.int(0, 30));
        if (life.isDead || this.register!.epoch !== register.epoch) return yield* new Fenced({ partition });
        const fails = life.isCutOff || (life.faulty && dice.chance(0.1));
        // An answer that is lost looks the same, but the write has landed.
        if (!fails || (!life.isCutOff && dice.chance(0.5))) {
          for (const [job, bytes] of part) this.store(job, bytes);
          const last = i === parts.length - 1;
          this.register = { ...(last ? register : this.register!), nonce: this.nonce() };
          // As the store does it: with the row of their job, and those without one together with the register.
          for (const receipt of receipts) {
            const partOfRow = parts.findIndex((rowsOfPart) => rowsOfPart.some(([job]) => job === receipt.job));
            if (i !== (partOfRow < 0 ? parts.length - 1 : partOfRow)) continue;
            const subject = [receipt.job, receipt.customer, receipt.firstSequence, receipt.reason].join(" ");
            this.receipts.set(subject, receipt);
          }
          this.onWrite();
        }
        if (fails) return yield* new CheckpointUnavailable({ partition, detail: "scripted" });
      }
      this.known = register;
    },
  );

  private store(job: string, bytes: Uint8Array): void {
    this.stored.set(job, bytes);
    const row = decodeRow(bytes)!;
    if (row.deleted) this.closed.set([job, row.start, row.revision].join(" "), row);
    const seen = this.cuts.get(job) ?? new Set();
    this.cuts.set(job, seen);
    for (const cut of row.cuts) seen.add(cut);
  }
}
