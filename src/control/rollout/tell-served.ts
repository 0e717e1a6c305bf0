import { Effect } from "effect";
import { noteOfRetelling } from "./audit-notes.ts";
import { type Desk, note, saveDesk } from "./desk.ts";
import { writePointer } from "./point.ts";

const why = "The store of configurations was lost: what this node serves is told again.";

/** The store was lost and made anew, and this node has what was in force before: others may need it. */
export const tellOfWhatIsServed = Effect.fnUntraced(function* (desk: Desk) {
  const { current, encodedCurrent, node, store } = desk.options;
  const [served, encoded] = [current(), encodedCurrent()];
  if (served === undefined || encoded === undefined) return;
  const { hash, manifest } = served;
  const published = { number: manifest.number, hash };
  note(desk, noteOfRetelling(node, published, why));
  // By compare-and-set: only while nobody else leads, who may have told them something.
  yield* saveDesk(desk);
  for (const mark of [...manifest.segments, manifest.catalogue]) {
    const stored = served.blob(mark.hash);
    if (stored !== undefined) yield* store.putBlob(mark.hash, stored);
  }
  yield* store.putManifest(manifest.number, encoded);
  yield* writePointer(desk, { ...published, accepted: true });
  const highest = Math.max(desk.state.highest, manifest.number);
  desk.state = { ...desk.state, published, highest };
  yield* saveDesk(desk);
  yield* Effect.logWarning(why, { number: manifest.number });
});
