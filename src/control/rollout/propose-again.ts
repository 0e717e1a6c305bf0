import { Effect, Result } from "effect";
import type { SnapshotRef } from "../../actors/rollout/machine.ts";
import { contentOf, type Desk, publishedContent } from "./desk.ts";
import type { Intent } from "./intent.ts";
import { keyOf, type Proposal, proposeChanges, proposeRollback, sourceOf, takeChanges } from "./proposal.ts";
import { allWaiting, nextWaiting } from "./waiting-changes.ts";

/** Made again, to the bit; or not, or not yet. */
export type Again = { readonly proposal: Proposal } | { readonly isPossibleLater: boolean; readonly why: string };

const later = (why: string): Again => ({ isPossibleLater: true, why });
const never = (why: string): Again => ({ isPossibleLater: false, why });

/** Makes once more what was on its way to the gate, and is known by its intent alone. */
export const proposeAgain = Effect.fn("control.proposeAgain")(function* (
  desk: Desk,
  target: SnapshotRef,
  intent: Intent,
): Effect.fn.Return<Again> {
  const made = yield* Effect.result(remade(desk, target, intent));
  // What cannot be read now may be read soon.
  if (Result.isFailure(made)) return later(made.failure);
  if (!("snapshot" in made.success)) return made.success;
  const proposal: Proposal = { ...made.success, author: intent.author, why: intent.why };
  return proposal.snapshot.hash === target.hash ? { proposal } : never("what comes of it now is another one");
});

const remade = Effect.fnUntraced(function* (
  desk: Desk,
  { number }: SnapshotRef,
  { createdMillis, key, madeBy, position, reason, rollbackOf }: Intent,
): Effect.fn.Return<Proposal | Again, string> {
  const { options, state } = desk;
  if (rollbackOf !== null) {
    const [content, base] = [yield* contentOf(desk, rollbackOf), yield* publishedContent(desk)];
    if (base === undefined) return never("nothing is in force any more");
    return yield* proposeRollback(content, base, number, { who: madeBy, why: reason }, createdMillis);
  }
  // What is pending is counted against what this node serves.
  if (options.current()?.hash !== state.published?.hash) return later("this node does not serve what is in force");
  if (options.position() < position || !options.isCaughtUp()) return later("this node has yet to read the job store");
  const base = yield* publishedContent(desk);
  const source = sourceOf(options, base);
  const bounds = { ...options.limits, isFirst: base === undefined };
  const all = allWaiting(options.stored, options.position());
  const next = nextWaiting(options.stored, options.position(), bounds);
  const changes = [all, next].find((each) => each !== undefined && keyOf(source, each) === key);
  if (changes === undefined) return never("other jobs are stored by now");
  const taken = takeChanges(options, base, changes, key);
  return yield* proposeChanges(options, base, number, taken, { author: madeBy, nowMillis: createdMillis });
});
