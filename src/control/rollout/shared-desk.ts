import { Effect, Result, Semaphore } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { ControlOptions } from "./control-options.ts";
import { type Desk, type DeskFailure, openDesk, textOf } from "./desk.ts";
import type { NodeReports } from "./node-reports.ts";

/** The desk of a control process that leads: commands, the audit log and what is under way all work at it. */
export interface SharedDesk {
  /** To look at. */
  readonly now: () => Desk;
  /**
   * To look at, and not to work at: as it is when nobody is at work, or, when somebody is for long, as it is by then.
   * Where a rollout is must be seen above all while a large one is generated and judged.
   */
  readonly look: Effect.Effect<Desk>;
  /**
   * One at a time. Whoever fails may have left things half done: the desk is opened anew from what is stored, and the
   * others go on. Fails itself when this process had better not lead any more.
   */
  readonly use: <A>(
    work: (desk: Desk) => Effect.Effect<A, DeskFailure>,
  ) => Effect.Effect<Result.Result<A, string>, DeskFailure>;
}

/** Another node may fare better: after so many times as long as nodes have to serve what they are told to. */
const patience = 2;
/** Whoever only looks waits so long for whoever works. */
const lookMillisMax = 1_000;

export const shareDesk = Effect.fnUntraced(function* (options: ControlOptions, reports: NodeReports) {
  const oneAtATime = yield* Semaphore.make(1);
  let desk = yield* openDesk(options, reports);
  /** As somebody left it last. */
  let rested: Desk = { ...desk };
  yield* Effect.logInfo("This node leads the configuration.", { rollout: desk.machine.value });

  const openAnew = Effect.fnUntraced(function* (failure: DeskFailure): Effect.fn.Return<string, DeskFailure> {
    // Somebody else leads by now, or has written past whoever does.
    if (typeof failure !== "string" && failure.reason === "conflict") return yield* Effect.fail(failure);
    const [steady, why] = [yield* steadyMillis, textOf(failure)];
    const { sinceMillis } = desk.trouble ?? { sinceMillis: steady };
    if (steady - sinceMillis >= patience * options.limits.rolloutAdoptMillisMax) return yield* Effect.fail(failure);
    if (why !== desk.trouble?.why) yield* Effect.logWarning("The control process does not get on.", { why });
    desk = yield* openDesk(options, reports);
    desk.trouble = { sinceMillis, why };
    return why;
  });

  const shared: SharedDesk = {
    now: () => desk,
    look: oneAtATime
      .withPermits(1)(Effect.void)
      .pipe(
        Effect.timeoutOption(lookMillisMax),
        // A rollout that has ended, but whose end is noted nowhere yet, is still on its way for whoever follows it.
        Effect.map(() => (desk.machine.value === "idle" ? rested : { ...desk })),
      ),
    use: (work) =>
      oneAtATime.withPermits(1)(
        Effect.suspend(() => work(desk)).pipe(
          Effect.map((done) => Result.succeed(done)),
          Effect.catch((failure) => Effect.map(openAnew(failure), (why) => Result.fail(why))),
          Effect.tap(() => Effect.sync(() => void (rested = { ...desk }))),
        ),
      ),
  };
  return shared;
});
