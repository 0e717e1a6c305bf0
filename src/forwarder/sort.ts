import type { OutboxPiece } from "../actors/ports/outbox.ts";
import { CustomerField } from "./customer-field.ts";
import type { DoorCounts } from "./door.ts";
import { Grouping, type GroupLimits } from "./group.ts";
import type { IngestRequest } from "./ingest-request.ts";
import type { PairIndex } from "./pair-index.ts";
import type { Refusals } from "./refusals.ts";
import { Scan, type ScanOptions } from "./scan.ts";

export type SortLimits = GroupLimits & Pick<ScanOptions, "recordBytesMax" | "refusedListedMax">;

/** What became of the records of one body. */
export interface Sorted extends DoorCounts {
  readonly pieces: ReadonlyArray<OutboxPiece>;
  readonly refusals: Refusals;
}

/** A large body is gone through in steps, so that no producer can hold the event loop: some 20 ms each. */
const stepLines = 50_000;
const stepBytes = 8_388_608;

/**
 * Takes a body apart: records become pieces, are counted as unconfigured, or are refused, each alone. Calls back at
 * once for all but large bodies. Memory is bounded by the body: an unknown customer leaves nothing but a count.
 *
 * @param pairs of the dataset, in one set of push jobs
 * @param later runs the next step of a large body when the event loop has had its turn
 */
export const sortBody = (
  asked: IngestRequest,
  body: Buffer,
  pairs: PairIndex,
  limits: SortLimits,
  validate: boolean,
  later: (step: () => void) => void,
  done: (sorted: Sorted) => void,
): void => {
  const { customer, customerField } = asked;
  const { recordBytesMax, refusedListedMax } = limits;
  const onlyPair = customer === undefined ? undefined : pairs.ofId(customer);
  const customers = customerField === undefined ? undefined : new CustomerField(body, customerField);
  const grouping = new Grouping(body, limits);
  let accepted = 0;
  let acceptedBytes = 0;
  let unconfigured = 0;
  let unconfiguredBytes = 0;
  const options = { recordBytesMax, refusedListedMax, customerField, customers, validate };
  const scan = new Scan(body, options, (start, end, clean) => {
    const pair = customers === undefined ? onlyPair : pairs.ofField(customers);
    if (pair === undefined) {
      unconfigured += 1;
      unconfiguredBytes += end + 1 - start;
      return;
    }
    accepted += 1;
    acceptedBytes += end + 1 - start;
    grouping.add(pair, start, end, clean);
  });
  const step = (): void => {
    if (!scan.step(stepLines, stepBytes)) return later(step);
    const pieces = grouping.finish();
    done({ pieces, accepted, acceptedBytes, unconfigured, unconfiguredBytes, refusals: scan.refusals });
  };
  step();
};
