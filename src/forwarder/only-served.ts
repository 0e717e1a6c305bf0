import type { RecordSpans } from "../actors/ports/outbox.ts";
import type { JobSet } from "../actors/ports/jobs.ts";
import type { Sorted } from "./sort.ts";

/** What is left of a sorted body when pairs that no push job in force wants count as unconfigured. */
export const onlyServed = (sorted: Sorted, { pairs: served }: Pick<JobSet, "pairs">): Sorted => {
  const { pairs, records, starts, stops } = sorted.spans;
  const kept = pairs.flatMap(({ key }, at) => (served.has(key) ? [at] : []));
  const spans: RecordSpans = {
    body: sorted.spans.body,
    pairs: kept.map((at) => pairs[at]!),
    starts: kept.map((at) => starts[at]!),
    stops: kept.map((at) => stops[at]!),
    records: kept.map((at) => records[at]!),
    bytes: kept.reduce((sum, at) => sum + stops[at]! - starts[at]!, 0),
  };
  const accepted = spans.records.reduce((sum, count) => sum + count, 0);
  return {
    ...sorted,
    spans,
    accepted,
    acceptedBytes: spans.bytes,
    unconfigured: sorted.unconfigured + sorted.accepted - accepted,
    unconfiguredBytes: sorted.unconfiguredBytes + sorted.acceptedBytes - spans.bytes,
  };
};
