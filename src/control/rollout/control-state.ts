import { Effect, Schema } from "effect";
import { AuditNote } from "../../domain/audit-entry.ts";
import { Freeze, RolloutRecord, SnapshotName } from "../../domain/config-report.ts";
import type { RolloutContext } from "../../actors/rollout/machine.ts";
import { Intent } from "./intent.ts";
import type { ConfigStore, ConfigStoreError } from "../../streams/config-store.ts";

const RolloutStateName = Schema.Literals([
  "idle",
  "gating",
  "promoting",
  "watching",
  "halted",
  "rollingBack",
  "returning",
]);
type RolloutStateName = typeof RolloutStateName.Type;

/** Whom the rollout under way has told to serve something else, and what that adds. Stored before they are told. */
export const ToldNodes = Schema.Struct({
  /** Number of the rollout's target. */
  target: Schema.Int,
  /** They were alive then. Nobody of them may fall silent, though others speak. */
  nodes: Schema.Array(Schema.String),
  /** Jobs that are enabled in this step and were not before: each may have a buffer. */
  added: Schema.Int,
  /** The same, of what the named nodes serve. */
  addedAhead: Schema.Int,
});
export type ToldNodes = typeof ToldNodes.Type;

/** What the control process must not forget: stored before each thing that it does, by compare-and-set. */
export const ControlState = Schema.Struct({
  /** The rollout machine's state and context. */
  machine: Schema.Struct({ value: RolloutStateName, context: Schema.Unknown }),
  /** What all nodes were told to serve last. */
  published: Schema.NullOr(SnapshotName),
  /** What the named nodes of the rollout under way were told to serve. */
  canary: Schema.optionalKey(Schema.NullOr(SnapshotName)),
  /** Whom the rollout under way counts on. */
  told: Schema.optionalKey(Schema.NullOr(ToldNodes)),
  /** The highest number that a snapshot may have got so far. */
  highest: Schema.Int,
  frozen: Schema.NullOr(Freeze),
  /** Who wants the rollout under way, and how it is made again; null: none is. */
  intent: Schema.optionalKey(Schema.NullOr(Intent)),
  /** Number of its way back, where it is not the one that was kept free for it. */
  wayBack: Schema.optionalKey(Schema.NullOr(Schema.Int)),
  /** The person who takes the rollout under way back; null: nobody does, or it goes back by itself. */
  takenBackBy: Schema.optionalKey(Schema.NullOr(Schema.String)),
  /** Of the rollout under way: a person accepted exactly its target. */
  accepted: Schema.Boolean,
  last: Schema.NullOr(RolloutRecord),
  /** Rollouts that have ended so far. */
  records: Schema.Int,
  /** What the audit log has yet to be told, the oldest first. */
  unaudited: Schema.optionalKey(Schema.Array(AuditNote)),
  /** What the last refusal was made from, and by which rules: the same again is told once. */
  refusedKey: Schema.optionalKey(Schema.NullOr(Schema.String)),
});
export type ControlState = Omit<typeof ControlState.Type, "machine"> & {
  readonly machine: { readonly value: RolloutStateName; readonly context: RolloutContext };
};

const stateName = "rollout";

const decodeState = Schema.decodeUnknownOption(ControlState);
const decodeRecord = Schema.decodeUnknownOption(RolloutRecord);

/** Undefined: there is none, or none that can be read. */
export const loadControlState = Effect.fnUntraced(function* (store: ConfigStore) {
  const found = yield* store.state(stateName);
  if (found === undefined) return { value: undefined, revision: 0 };
  const decoded = decodeState(found.value);
  if (decoded._tag === "None") yield* Effect.logError("The state of the last rollout does not decode: it is given up.");
  return {
    value: decoded._tag === "None" ? undefined : (decoded.value as ControlState),
    revision: found.revision,
  };
});

/** @returns the new revision; fails with `conflict` when somebody else leads by now */
export const saveControlState = (store: ConfigStore, state: ControlState, revision: number) =>
  writeOnce(store, stateName, state, revision);

/** A ring of so many slots, one record each: a page of it is not rewritten for each change. */
const slotName = (record: number, recordsMax: number): string => `history-${record % recordsMax}`;

/** Newest first. @param records how many there were so far */
export const loadHistory = Effect.fnUntraced(function* (
  store: ConfigStore,
  records: number,
  { limit, recordsMax }: { readonly limit: number; readonly recordsMax: number },
) {
  const oldest = Math.max(0, records - Math.min(limit, recordsMax));
  const slots = Array.from({ length: records - oldest }, (_, i) => records - 1 - i);
  const found = yield* Effect.forEach(slots, (record) => store.state(slotName(record, recordsMax)), { concurrency: 8 });
  return found.flatMap((each) => {
    const decoded = each === undefined ? undefined : decodeRecord(each.value);
    return decoded?._tag === "Some" ? [decoded.value] : [];
  });
});

/** @param records how many there were before it; the same again is the same */
export const noteInHistory = Effect.fnUntraced(function* (
  store: ConfigStore,
  record: RolloutRecord,
  records: number,
  recordsMax: number,
) {
  const name = slotName(records, recordsMax);
  const there = yield* store.state(name);
  yield* writeOnce(store, name, record, there?.revision ?? 0);
});

/** An answer may be lost: then what is stored is what was to be stored. */
export const writeOnce = (store: ConfigStore, name: string, value: unknown, revision: number) =>
  store.putState(name, value, revision).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "conflict",
      (conflict) =>
        Effect.flatMap(store.state(name), (there) =>
          there !== undefined && JSON.stringify(there.value) === JSON.stringify(value)
            ? Effect.succeed(there.revision)
            : Effect.fail<ConfigStoreError>(conflict),
        ),
    ),
  );
