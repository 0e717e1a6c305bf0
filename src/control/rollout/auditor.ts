import { Effect, type Semaphore } from "effect";
import { type Desk, type DeskFailure, saveDesk } from "./desk.ts";

const pollMillis = 100;
const againMillis = 2_000;

/**
 * Brings what the control process has decided into the audit log, in order, for as long as it leads. Each note was
 * stored with what it tells of and is forgotten only when it is in the log: a crash in between notes it twice. While
 * the log cannot be written nothing waits for it but what is new.
 *
 * @returns when the desk cannot be stored
 */
export const keepAudited = Effect.fnUntraced(function* (
  desk: Desk,
  oneAtATime: Semaphore.Semaphore,
): Effect.fn.Return<never, DeskFailure> {
  let isSilent = false;
  for (;;) {
    const note = desk.state.unaudited?.[0];
    if (note === undefined) {
      yield* Effect.sleep(pollMillis);
      continue;
    }
    const noted = yield* Effect.result(desk.options.audit(note));
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
    yield* oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        desk.state = { ...desk.state, unaudited: (desk.state.unaudited ?? []).slice(1) };
        return saveDesk(desk);
      }),
    );
  }
});
