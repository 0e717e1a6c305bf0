import { Effect } from "effect";
import { type Desk, saveDesk } from "./desk.ts";

/**
 * The store was lost and made anew, and this node has what was in force before: others may need it.
 *
 * @param revision the pointer's, over which it is written; 0: there is none
 */
export const tellOfWhatIsServed = Effect.fnUntraced(function* (desk: Desk, revision: number) {
  const { current, encodedCurrent, store } = desk.options;
  const [served, encoded] = [current(), encodedCurrent()];
  if (served === undefined || encoded === undefined) return;
  const { hash, manifest } = served;
  for (const mark of [...manifest.segments, manifest.catalogue]) {
    const stored = served.blob(mark.hash);
    if (stored !== undefined) yield* store.putBlob(mark.hash, stored);
  }
  yield* store.putManifest(manifest.number, encoded);
  yield* store.point({ number: manifest.number, hash, accepted: true }, revision);
  const highest = Math.max(desk.state.highest, manifest.number);
  desk.state = { ...desk.state, published: { number: manifest.number, hash }, highest };
  yield* saveDesk(desk);
  yield* Effect.logWarning("The store of configurations was lost: what this node serves is told again.", {
    number: manifest.number,
  });
});
