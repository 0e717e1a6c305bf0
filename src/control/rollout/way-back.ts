import { Effect, Result } from "effect";
import type { RolloutEvent, SnapshotRef } from "../../actors/rollout/machine.ts";
import { changedSegments, entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import { contentOf, type Desk, type DeskFailure, nowAt } from "./desk.ts";
import { point } from "./point.ts";
import { bringBack } from "./stage.ts";
import { stepNumbers } from "./step-numbers.ts";

/**
 * The content that was in force, as a new snapshot for everybody. It was judged when it went out: now only what is
 * damaged is not gone back to. Limits and settings that were changed since must not keep nodes where they are, halfway.
 *
 * @returns what the machine is to be told
 */
export const restoreBase = Effect.fnUntraced(function* (
  desk: Desk,
  base: SnapshotRef | null,
): Effect.fn.Return<RolloutEvent, DeskFailure> {
  const { published } = desk.state;
  const { reason, target } = desk.machine.context;
  const at = yield* nowAt;
  if (base === null || published === null) return { type: "base.restored", base: base ?? published ?? target!, ...at };
  // Stored together with what follows: else the same changes would be on their way again at once.
  const freeze = () => {
    desk.state = {
      ...desk.state,
      frozen: { who: desk.state.takenBackBy ?? "spillway", why: reason, atMillis: at.nowMillis },
    };
  };
  const { value: told } = desk.told ?? {};
  if (told?.hash === base.hash && told.canary === undefined) {
    freeze();
    return { type: "base.restored", base, ...at };
  }
  const number = wayBackOf(desk);
  if (published.number !== number) {
    const content = yield* contentOf(desk, base);
    yield* checkDamage(desk, content, published);
    const { encoded, snapshot } = bringBack(content, {
      number,
      previous: published.number,
      createdMillis: content.manifest.createdMillis,
      author: "spillway",
      reason,
    });
    yield* desk.options.store.putManifest(number, encoded);
    yield* point(desk, snapshot, { accepted: true });
  }
  freeze();
  return { type: "base.told", base: desk.state.published!, ...at };
});

/**
 * How many of the living nodes have gone back. Who is gone is not waited for, whatever it was told: it reads what is in
 * force when it comes back.
 *
 * @param steady the steady clock's time
 */
export const returnOf = ({ reports, state }: Desk, steady: number): { readonly nodes: number; readonly of: number } => {
  const live = reports.live(steady);
  return { nodes: live.filter(({ serves }) => serves?.hash === state.published?.hash).length, of: live.length };
};

/** The number that was kept free for it, unless that is used up: a person has chosen another way back. */
export const wayBackOf = ({ machine, state }: Desk): number => state.wayBack ?? stepNumbers(machine.context).wayBack;

/** Of what nodes serve now, as far as that can be read, only what differs is read. */
const checkDamage = Effect.fnUntraced(function* (desk: Desk, content: Snapshot, published: SnapshotRef) {
  const inForce = Result.getOrUndefined(yield* Effect.result(contentOf(desk, published)));
  for (const segment of changedSegments(inForce?.manifest, content.manifest)) {
    yield* Effect.yieldNow;
    const entries = entriesOf(content, segment);
    if (Result.isFailure(entries))
      return yield* Effect.fail(
        `There is no way back to ${content.manifest.number}: segment ${segment}: ${entries.failure.message}.`,
      );
  }
});
