import { DateTime, Effect, Queue, Schedule } from "effect";
import type { AuditNote } from "../domain/audit-entry.ts";
import { type KillSwitch, nameOfSwitch } from "../domain/kill-switch.ts";
import type { AuditLog } from "../streams/audit-log.ts";
import { KillSwitchStore } from "../streams/kill-switches.ts";

/** While the log takes nothing it is tried so often. */
const again = { schedule: Schedule.spaced("10 seconds"), times: 360 };

/**
 * Notes that a kill switch has ended by itself, for as long as the scope lives: by the one node that has told the
 * store so. One that dies in between does not: the store still says when and why.
 */
export const noteEndedSwitches = Effect.fnUntraced(function* (log: Pick<AuditLog, "append">) {
  const { ended } = yield* KillSwitchStore;
  const note = (each: KillSwitch) =>
    log.append(noteOf(each)).pipe(
      Effect.retry(again),
      Effect.catch(({ detail }) =>
        Effect.logError("That a kill switch has ended is not in the audit log.", {
          switch: nameOfSwitch(each),
          detail,
        }),
      ),
    );
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(ended), note)));
});

const noteOf = (each: KillSwitch): AuditNote => ({
  kind: "switch.ended",
  who: "spillway",
  from: "",
  what: `kill switch for ${nameOfSwitch(each)}: its time was over`,
  why: each.why,
  detail: `stopped ${each.stops} for ${each.who} since ${DateTime.formatIso(DateTime.makeUnsafe(each.sinceMillis))}`,
});
