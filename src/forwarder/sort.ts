import type { RecordSpans } from "../actors/ports/outbox.ts";
import { CustomerField } from "./customer-field.ts";
import { HeldBack } from "./held-back.ts";
import type { Verdicts } from "./doorkeeper.ts";
import type { DoorCounts } from "./door.ts";
import type { IngestRequest } from "./ingest-request.ts";
import type { PairLookup } from "./pair-index.ts";
import type { Refusals } from "./refusals.ts";
import { Scan, type ScanOptions } from "./scan.ts";
import { SpanBuilder, type SpanLimits } from "./span-builder.ts";

export type SortLimits = SpanLimits & Pick<ScanOptions, "recordBytesMax" | "refusedListedMax">;

/** What became of the records of one body. */
export interface Sorted extends DoorCounts {
  readonly spans: RecordSpans;
  readonly refusals: Refusals;
  /** Whose records were held back; undefined: nobody's were looked at. */
  readonly heldBack: HeldBack | undefined;
}

const newline = 0x0a;

/** A large body is gone through in steps, so that no producer can hold the event loop: some 20 ms each. */
const stepLines = 50_000;
const stepBytes = 8_388_608;

/**
 * Takes a body apart: records become spans of it, are counted as unconfigured, or are refused, each alone. Calls back
 * at once for all but large bodies. Memory is bounded by the body: an unknown customer leaves nothing but a count.
 *
 * @param raw is written to where a record ends otherwise than with a single newline
 * @param pairs of the dataset, in one set of push jobs
 * @param verdicts who is held back; undefined when nobody is
 * @param later runs the next step of a large body when the event loop has had its turn
 */
export const sortBody = (
  asked: IngestRequest,
  raw: Buffer,
  pairs: PairLookup,
  limits: SortLimits,
  validate: boolean,
  later: (step: () => void) => void,
  done: (sorted: Sorted) => void,
  verdicts?: Verdicts,
): void => {
  const { customer, customerField } = asked;
  const body = endingInNewline(raw);
  const { recordBytesMax, refusedListedMax } = limits;
  const onlyPair = customer === undefined ? undefined : pairs.ofId(customer);
  const customers = customerField === undefined ? undefined : new CustomerField(body, customerField);
  const spans = new SpanBuilder(body, limits);
  const heldBack = verdicts === undefined ? undefined : new HeldBack();
  let accepted = 0;
  let acceptedBytes = 0;
  let unconfigured = 0;
  let unconfiguredBytes = 0;
  const options = { recordBytesMax, refusedListedMax, customerField, customers, validate };
  const scan = new Scan(body, options, (start, end, clean, line) => {
    const pair = customers === undefined ? onlyPair : pairs.ofField(customers);
    if (pair === undefined) {
      unconfigured += 1;
      unconfiguredBytes += end + 1 - start;
      return;
    }
    const reason = verdicts?.of(pair);
    if (reason !== undefined) {
      heldBack?.add(pair, reason, end + 1 - start);
      return scan.refusals.holdBack(line, reason, end + 1 - start);
    }
    accepted += 1;
    acceptedBytes += end + 1 - start;
    // CRLF: the record ends where its carriage return was.
    if (!clean) body[end] = newline;
    spans.add(pair, start, end + 1);
  });
  const step = (): void => {
    if (!scan.step(stepLines, stepBytes)) return later(step);
    done({ spans, accepted, acceptedBytes, unconfigured, unconfiguredBytes, refusals: scan.refusals, heldBack });
  };
  step();
};

const endingInNewline = (raw: Buffer): Buffer => {
  if (raw.length === 0 || raw[raw.length - 1] === newline) return raw;
  const body = Buffer.allocUnsafeSlow(raw.length + 1);
  raw.copy(body);
  body[raw.length] = newline;
  return body;
};
