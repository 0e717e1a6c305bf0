import { Effect } from "effect";
import { type Desk, saveDesk } from "./desk.ts";

/** So often it is looked whether nodes are told what this process told them last. */
const lookMillis = 2_000;

/**
 * Tells all nodes once more what is in force when something else names it to them: somebody wrote past the control
 * process. Their own gates keep the nodes from serving that; but told nothing else they would stay where they are, and
 * nothing new could be proposed, for ever.
 *
 * @param steady the steady clock's time
 */
export const retellIfOther = Effect.fn("control.retellIfOther")(function* (desk: Desk, steady: number) {
  const { published } = desk.state;
  if (desk.machine.value !== "idle" || published === null) return;
  if (desk.toldLookedMillis !== undefined && steady - desk.toldLookedMillis < lookMillis) return;
  desk.toldLookedMillis = steady;
  const { store } = desk.options;
  const pointer = yield* store.pointer;
  if (pointer?.value.hash === published.hash && pointer.value.canary === undefined) return;
  // By compare-and-set: fails when somebody else leads by now, who has told them something newer.
  yield* saveDesk(desk);
  // How much it takes away was judged, and accepted where it had to be, when it was told for the first time.
  yield* store.point({ ...published, accepted: true }, pointer?.revision ?? 0);
  yield* Effect.logError("Nodes were told to serve something that this cluster did not roll out: it is told anew.", {
    told: pointer?.value.number ?? "nothing",
    inForce: published.number,
  });
});
