import { Effect } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { giveUp, reportLostEnd, tell } from "./deeds.ts";
import { type Desk, nowAt } from "./desk.ts";
import { proposeAgain } from "./propose-again.ts";
import { tellOfWhatIsServed } from "./tell-served.ts";

/**
 * Whatever was under way when the control process ended goes on.
 *
 * @returns false: not yet, see `desk.trouble`
 */
export const resume = Effect.fn("control.resume")(function* (desk: Desk) {
  if (desk.state.published === null) yield* tellOfWhatIsServed(desk);
  yield* reportLostEnd(desk);
  if (desk.machine.value === "gating" && !(yield* isReadyToJudge(desk))) return false;
  if (desk.machine.value !== "idle") yield* tell(desk, { type: "control.resumed", ...(yield* nowAt) });
  desk.isResumed = true;
  return true;
});

/** Nothing is stored of what is at the gate but what it is to be: it has to be made again. */
const isReadyToJudge = Effect.fnUntraced(function* (desk: Desk) {
  const { target } = desk.machine.context;
  const { intent } = desk.state;
  if (target === null || intent == null) return true;
  const steady = yield* steadyMillis;
  const { sinceMillis, why } = desk.trouble ?? { sinceMillis: steady, why: "" };
  if (steady - sinceMillis >= desk.options.limits.rolloutAdoptMillisMax) {
    yield* giveUp(desk, why);
    return true;
  }
  const again = yield* proposeAgain(desk, target, intent);
  if ("proposal" in again) {
    desk.proposal = again.proposal;
    return true;
  }
  if (!again.isPossibleLater) yield* giveUp(desk, `the control process has ended meanwhile, and ${again.why}`);
  else desk.trouble = { sinceMillis, why: again.why };
  return !again.isPossibleLater;
});
