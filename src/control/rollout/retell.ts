import { Effect } from "effect";
import type { ConfigPointer } from "../../domain/config-pointer.ts";
import type { SnapshotRef } from "../../actors/rollout/machine.ts";
import { mayNote, noteOfRetelling } from "./audit-notes.ts";
import { type Desk, note, saveDesk } from "./desk.ts";
import { writePointer } from "./point.ts";
import { tellOfWhatIsServed } from "./tell-served.ts";

/** So often it is looked whether nodes are told what this process told them last. */
const lookMillis = 2_000;
/**
 * What a node refuses unless it is accepted: how much is taken away at once, that records are read otherwise, that the
 * store is another, or that nothing is left of what a rollback brought back.
 */
const acceptable: ReadonlySet<string> = new Set([
  "datasetInUse",
  "empty",
  "notARollback",
  "otherCell",
  "shrunk",
  "unknownField",
]);

/**
 * Sees to it that every node gets to serve what is in force: tells all of them once more
 *
 * - when something else is named to them: somebody wrote past the control process. Their own gates keep them from
 *   serving that; but nothing new could be proposed, for ever;
 * - when one that was away finds too much changed at once: what came in many small steps, each of which the others
 *   serve, or was accepted meanwhile. It would stay where it is for ever, and refuse whatever is rolled out next;
 * - when this node serves something newer: the store was lost, and somebody who was behind has told of what it had.
 *
 * @param steady the steady clock's time
 */
export const retellIfDue = Effect.fn("control.retellIfDue")(function* (desk: Desk, steady: number) {
  const { published } = desk.state;
  if (desk.machine.value !== "idle" || published === null) return;
  if (desk.toldLookedMillis !== undefined && steady - desk.toldLookedMillis < lookMillis) return;
  desk.toldLookedMillis = steady;
  const { current, node, store } = desk.options;
  // Not what this process has told them: somebody else may have.
  const told = yield* store.pointer;
  if ((current()?.manifest.number ?? 0) > published.number) {
    desk.told = told;
    return yield* tellOfWhatIsServed(desk);
  }
  const why = whyAgain(desk, published, told?.value, steady);
  if (why === undefined || !mayNote(desk)) return;
  note(desk, noteOfRetelling(node, published, why));
  // By compare-and-set: fails when somebody else leads by now, who has told them something newer.
  yield* saveDesk(desk);
  desk.told = told;
  // How much it takes away was judged, and accepted where it had to be, when it was told for the first time.
  yield* writePointer(desk, { ...published, accepted: true });
  yield* Effect.logWarning("Nodes are told again what is in force.", { number: published.number, why });
});

const whyAgain = (
  { reports }: Desk,
  { hash, number }: SnapshotRef,
  told: ConfigPointer | undefined,
  steady: number,
): string | undefined => {
  if (told?.hash !== hash || told.canary !== undefined)
    return `they were told to serve ${told?.number ?? "nothing"}, which this cluster did not roll out`;
  if (told.accepted) return undefined;
  const live = reports.live(steady);
  // Were it wrong in itself, those that have served what came before it would refuse it as well.
  if (!live.some(({ serves }) => serves?.hash === hash)) return undefined;
  const behind = live.find(({ refused }) => refused?.number === number && acceptable.has(refused.rule));
  return behind === undefined
    ? undefined
    : `${behind.node} was away, and all that came meanwhile is much for it (${behind.refused!.rule})`;
};
