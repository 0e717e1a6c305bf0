import { Schema } from "effect";
import { SwitchKind } from "./kill-switch.ts";

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));

/** Asked of every owner: what a switch would hold of what is its own. */
export const SwitchQuestion = Schema.Struct({ kind: SwitchKind, target: Schema.String });

/** What one owner holds of it, in the partitions that it owns. */
export const OwnedBacklog = Schema.Struct({
  partitions: Schema.Array(Count),
  /** Buffers with a backlog. */
  buffers: Count,
  backlogRecords: Count,
  backlogBytes: Count,
});
export type OwnedBacklog = typeof OwnedBacklog.Type;

/** What a switch holds, or would hold: of all nodes, at this moment. */
export const SwitchEffect = Schema.Struct({
  /** Enabled push jobs. */
  jobs: Count,
  customers: Count,
  datasets: Count,
  /** Destination hosts that these jobs push to. */
  destinations: Count,
  /** Buffers of these jobs with a backlog, and the backlog: uncompressed bytes. */
  buffers: Count,
  backlogRecords: Count,
  backlogBytes: Count,
  /** Partitions whose owner has not said what it holds: then the three numbers above are too small. */
  partitionsUnheard: Count,
});
export type SwitchEffect = typeof SwitchEffect.Type;
