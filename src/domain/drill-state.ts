import { Schema } from "effect";

/** What drills break on purpose, each at the seam that its name says. */
export const faultNames = [
  /** The generator's output has no push job at all. */
  "generator.empty",
  /** The same, but only once the files of datasets have one that is not in force: a fault that waits for its cause. */
  "generator.emptyOnNewDataset",
  /** The generator's output has a push job for everybody who ever sent something. */
  "generator.everything",
  /** The forwarder stores records that no push job wants. */
  "forwarder.failsOpen",
  /** What a node receives of a snapshot has changed on its way. */
  "snapshot.corrupt",
] as const;
export const FaultName = Schema.Literals(faultNames);
export type FaultName = typeof FaultName.Type;

/** Protections that a drill may switch off, to show what they are good for. All of them are on by default. */
export const guardNames = [
  /** The check of a snapshot before any node is told of it. */
  "controlGate",
  /** What passed the gate goes to a few customers first, and is watched. */
  "rollout",
  /** Each node's own check, before it serves a snapshot. */
  "servingGate",
  /** A node without a good snapshot goes on with the last one that was. */
  "lastKnownGood",
  /** The way into the log looks for itself whether a push job wants what the door lets in. */
  "outboxGate",
  /** What leaves the configuration is kept for a while. */
  "removalGrace",
  /** The door holds back who would cost others their records. */
  "admission",
  /** The bound on buffers in memory, and on how fast they come into being. */
  "bufferLimit",
] as const;
export const GuardName = Schema.Literals(guardNames);
export type GuardName = typeof GuardName.Type;

/** Everything that is armed or switched off ends by itself at `untilMillis` (epoch): a drill may die. */
export const ArmedFault = Schema.Struct({ name: FaultName, untilMillis: Schema.Finite });
export type ArmedFault = typeof ArmedFault.Type;

export const GuardOff = Schema.Struct({ name: GuardName, untilMillis: Schema.Finite });
export type GuardOff = typeof GuardOff.Type;

/** What a node in drill mode says of itself. */
export const DrillState = Schema.Struct({
  /** Its name, as the configuration knows it. */
  node: Schema.String,
  roles: Schema.Array(Schema.String),
  faults: Schema.Array(ArmedFault),
  guardsOff: Schema.Array(GuardOff),
});
export type DrillState = typeof DrillState.Type;
