import { Effect } from "effect";
import { type DeskFailure, saveDesk } from "./desk.ts";
import type { ControlOptions } from "./control-options.ts";
import type { SharedDesk } from "./shared-desk.ts";

const pollMillis = 100;
const againMillis = 2_000;

/**
 * Brings what the control process has decided into the audit log, in order, for as long as it leads. Each note was
 * stored with what it tells of and is forgotten only when it is in the log: a crash in between notes it twice. While
 * the log cannot be written nothing waits for it but what is new.
 *
 * @returns when this process had better not lead any more
 */
export const keepAudited = Effect.fnUntraced(function* (
  shared: SharedDesk,
  audit: ControlOptions["audit"],
): Effect.fn.Return<never, DeskFailure> {
  let isSilent = false;
  for (;;) {
    const note = shared.now().state.unaudited?.[0];
    if (note === undefined) {
      yield* Effect.sleep(pollMillis);
      continue;
    }
    const noted = yield* Effect.result(audit(note));
    if (noted._tag === "Failure") {
      if (!isSilent)
        yield* Effect.logError("The audit log does not take what the control process decides; it is tried again.", {
          problem: noted.failure.detail,
          what: note.what,
        });
      isSilent = true;
      yield* Effect.sleep(againMillis);
      continue;
    }
    isSilent = false;
    const removed = yield* shared.use((desk) => {
      const { unaudited = [] } = desk.state;
      // Opened anew meanwhile, it has the same notes; an answer that was lost may have taken it out already.
      if (unaudited[0]?.what !== note.what || unaudited[0].detail !== note.detail) return Effect.void;
      desk.state = { ...desk.state, unaudited: unaudited.slice(1) };
      return saveDesk(desk);
    });
    if (removed._tag === "Failure") yield* Effect.sleep(againMillis);
  }
});
