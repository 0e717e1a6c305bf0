import { segmentCount, segmentOf } from "../domain/segment-of.ts";

/** Pushes of a node since its start, by segment of the customers: an addition per batch, however many jobs. */
export class DeliveryPulse {
  readonly records = new Float64Array(segmentCount);
  /** Uncompressed. */
  readonly bytes = new Float64Array(segmentCount);
  readonly attempts = new Float64Array(segmentCount);
  readonly failures = new Float64Array(segmentCount);

  /** @param batch what it would deliver; uncompressed bytes */
  note(customer: string, delivered: boolean, batch: { readonly records: number; readonly bytes: number }): void {
    const segment = segmentOf(customer);
    this.attempts[segment]! += 1;
    if (!delivered) {
      this.failures[segment]! += 1;
      return;
    }
    this.records[segment]! += batch.records;
    this.bytes[segment]! += batch.bytes;
  }
}

/** Of this process, like all its metrics. */
export const deliveryPulse = new DeliveryPulse();
