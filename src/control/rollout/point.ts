import { Effect } from "effect";
import type { SnapshotRef } from "../../actors/rollout/machine.ts";
import type { ConfigPointer } from "../../domain/config-pointer.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { type Desk, saveDesk } from "./desk.ts";

/**
 * Tells all nodes, and stores that they were told. Over what this process knows they were told last, not over whatever
 * they are told now: one that leads no more and has not heard of it must not send them back.
 */
export const point = Effect.fnUntraced(function* (
  desk: Desk,
  snapshot: Snapshot,
  {
    accepted = desk.state.accepted,
    canary,
    segments,
  }: {
    readonly accepted?: boolean;
    /** For the nodes that were named. */
    readonly canary?: Snapshot | undefined;
    readonly segments?: number | undefined;
  } = {},
) {
  const ref = nameOf(snapshot);
  const { value: told } = desk.told ?? {};
  if (told?.hash !== ref.hash || told.canary?.hash !== canary?.hash)
    yield* writePointer(desk, {
      ...ref,
      accepted,
      ...(segments === undefined ? {} : { watch: { segments } }),
      ...(canary === undefined ? {} : { canary: { ...nameOf(canary), nodes: desk.machine.context.canaryNodes } }),
    });
  desk.at.set(ref.hash, snapshot);
  if (canary !== undefined) desk.at.set(canary.hash, canary);
  desk.state = { ...desk.state, published: ref, canary: canary === undefined ? null : nameOf(canary) };
  yield* saveDesk(desk);
});

export const writePointer = Effect.fnUntraced(function* (desk: Desk, value: ConfigPointer) {
  const revision = yield* desk.options.store.point(value, desk.told?.revision ?? 0);
  desk.told = { value, revision };
});

export const nameOf = ({ hash, manifest }: Snapshot): SnapshotRef => ({ number: manifest.number, hash });
