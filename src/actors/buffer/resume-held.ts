import { Effect } from "effect";
import type { KillSwitchesView } from "../ports/kill-switches.ts";
import type { Running } from "./push.ts";

/** So many in one turn of the event loop: it may be all buffers of the node that were held. */
const turnBuffersMax = 250;

/** Lets go on what was held for a kill switch that is off now: each waits for its next look otherwise. */
export const resumeHeld = Effect.fnUntraced(function* (
  running: ReadonlyMap<string, Running>,
  switches: KillSwitchesView,
) {
  let resumed = 0;
  // One that is started meanwhile looks for itself.
  const held = [...running.values()].filter(({ heldAt }) => heldAt !== undefined);
  for (const each of held) {
    const { buffer, heldAt } = each;
    if (heldAt === undefined || running.get(buffer.jobId) !== each) continue;
    const { customer, dataset } = buffer.effective.job;
    if (switches.current().holding(customer, dataset, hostOf(heldAt)) !== undefined) continue;
    each.heldAt = undefined;
    // It may have gone on, been isolated or drained meanwhile: then it is not for us to begin.
    if (buffer.actor?.delivery() !== "backingOff") continue;
    buffer.actor.send({ type: "buffer.resume" });
    resumed += 1;
    if (resumed % turnBuffersMax === 0) yield* Effect.yieldNow;
  }
  if (resumed > 0) yield* Effect.logInfo("Buffers go on after a kill switch was taken away.", { buffers: resumed });
});

/** Where it is not known yet, the next look will tell. */
const hostOf = (heldAt: NonNullable<Running["heldAt"]>): string => (heldAt === "unknown" ? "" : heldAt.host);
