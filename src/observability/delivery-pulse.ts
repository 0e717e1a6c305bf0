import { segmentCount, segmentOf } from "../domain/segment-of.ts";

/** Pushes of a node since its start, by segment of the customers: an addition per batch, however many jobs. */
export class DeliveryPulse {
  readonly records = new Float64Array(segmentCount);
  readonly attempts = new Float64Array(segmentCount);
  readonly failures = new Float64Array(segmentCount);

  /** @param records of the batch, when it was delivered */
  note(customer: string, delivered: boolean, records: number): void {
    const segment = segmentOf(customer);
    this.attempts[segment]! += 1;
    if (delivered) this.records[segment]! += records;
    else this.failures[segment]! += 1;
  }
}

/** Of this process, like all its metrics. */
export const deliveryPulse = new DeliveryPulse();
