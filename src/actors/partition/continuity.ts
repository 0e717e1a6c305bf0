import type { Register } from "../ports/checkpoints.ts";
import type { Writer } from "../ports/log.ts";

type Writers = Register["writers"];

/** What a message's running number says. */
export type Continuity =
  | { readonly _tag: "Next" }
  /** A resend that JetStream's own window did not catch: its records are there already. */
  | { readonly _tag: "Duplicate" }
  /** Messages of this forwarder are missing from the log. */
  | { readonly _tag: "Gap"; readonly messages: number; readonly records: number };

/** Forwarder incarnations remembered per partition; the ones not seen for longest are forgotten first. */
const writersMax = 256;
const duplicatesMax = 10_000;

/**
 * Watches the forwarders' running numbers. A message at or before the last sequence seen of its writer was judged
 * before (the log is read again after a restart, from an earlier place than this was stored at).
 */
export class ContinuityWatch {
  private readonly seen: Map<string, { number: number; records: number; sequence: number }>;
  private readonly duplicates: Set<number>;

  constructor(writers: Writers, duplicates: ReadonlyArray<number>) {
    this.seen = new Map(Object.entries(writers).map(([incarnation, last]) => [incarnation, { ...last }]));
    this.duplicates = new Set(duplicates);
  }

  isDuplicate(sequence: number): boolean {
    return this.duplicates.has(sequence);
  }

  see(sequence: number, writer: Writer, records: number): Continuity {
    if (this.duplicates.has(sequence)) return { _tag: "Duplicate" };
    const last = this.seen.get(writer.incarnation);
    const now = { number: writer.number, records: writer.recordsBefore + records, sequence };
    if (last === undefined) {
      this.remember(writer.incarnation, now);
      return { _tag: "Next" };
    }
    if (sequence <= last.sequence) return { _tag: "Next" };
    if (writer.number <= last.number) {
      if (this.duplicates.size < duplicatesMax) this.duplicates.add(sequence);
      return { _tag: "Duplicate" };
    }
    const messages = Math.max(0, writer.number - last.number - 1 - writer.absent);
    const missing = Math.max(0, writer.recordsBefore - last.records);
    this.seen.set(writer.incarnation, now);
    return messages === 0 ? { _tag: "Next" } : { _tag: "Gap", messages, records: missing };
  }

  private remember(incarnation: string, last: { number: number; records: number; sequence: number }): void {
    if (this.seen.size >= writersMax) {
      const [oldest] = [...this.seen].reduce((a, b) => (a[1].sequence <= b[1].sequence ? a : b));
      this.seen.delete(oldest);
    }
    this.seen.set(incarnation, last);
  }

  writers(): Writers {
    return Object.fromEntries([...this.seen].map(([incarnation, last]) => [incarnation, { ...last }]));
  }

  /** Sequences after the low-water mark that sweeps must skip. */
  duplicatesAfter(lowWater: number): ReadonlyArray<number> {
    return [...this.duplicates].filter((sequence) => sequence > lowWater).toSorted((a, b) => a - b);
  }

  /** The low-water mark is durable: nothing at or before it will be read again. */
  forgetDuplicates(lowWater: number): void {
    for (const sequence of this.duplicates) if (sequence <= lowWater) this.duplicates.delete(sequence);
  }
}
