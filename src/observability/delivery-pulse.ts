import { slotCount, slotOf } from "../domain/job-slot.ts";
import { segmentCount, segmentOf } from "../domain/segment-of.ts";

/** Pushes of a node since its start: an addition per batch, however many jobs. */
export class DeliveryPulse {
  /** Uncompressed, by segment of the customers. */
  readonly bytes = new Float64Array(segmentCount);
  /** The others by slot of the jobs. */
  readonly records = new Float64Array(slotCount);
  readonly attempts = new Float64Array(slotCount);
  readonly failures = new Float64Array(slotCount);

  /** @param batch what it would deliver; uncompressed bytes */
  note(
    job: { readonly customer: string; readonly id: string },
    delivered: boolean,
    batch: { readonly records: number; readonly bytes: number },
  ): void {
    const slot = slotOf(job);
    this.attempts[slot]! += 1;
    if (!delivered) {
      this.failures[slot]! += 1;
      return;
    }
    this.records[slot]! += batch.records;
    this.bytes[segmentOf(job.customer)]! += batch.bytes;
  }
}

/** Of this process, like all its metrics. */
export const deliveryPulse = new DeliveryPulse();
