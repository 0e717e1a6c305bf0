import { Deferred, Effect, Queue, Result } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { randomBytes } from "node:crypto";
import { answerControl, receiveNodeReports } from "../../streams/config-messages.ts";
import { adoptionOf } from "./adoption.ts";
import { keepAudited } from "./auditor.ts";
import { answerCommand, type ControlAnswer } from "./commands.ts";
import { toldTo } from "./canary.ts";
import type { ControlOptions } from "./control-options.ts";
import { tell } from "./deeds.ts";
import { type Desk, type DeskFailure, nowAt, textOf } from "./desk.ts";
import { lead } from "./leadership.ts";
import { proposeIfDue } from "./next-rollout.ts";
import { NodeReports } from "./node-reports.ts";
import { pruneIfDue } from "./prune.ts";
import { retellIfDue } from "./retell.ts";
import { resume } from "./resume.ts";
import { type SharedDesk, shareDesk } from "./shared-desk.ts";
import { returnOf } from "./way-back.ts";
import { statusOf } from "./status.ts";
import { stepReading } from "./step-reading.ts";
import { countOnNew, dismissLeft, silentNodes } from "./told-nodes.ts";

/** Without anything new it is looked so often. */
const pollMillis = 100;
const failureMillis = 500;
/** How often the machine is told how late it is, or how it goes. */
const tickMillis = 1_000;

export interface ControlProcess {
  /** Something may be to be done. Cheap, never waits. */
  readonly nudge: () => void;
}

/**
 * Brings what the job store has into force, as long as this node leads: one rollout after the other, each of them
 * through the gate. Begins anew whenever anything fails: all that it must know is stored.
 */
export const runControlProcess = Effect.fnUntraced(function* (options: ControlOptions) {
  const nudges = yield* Queue.sliding<void>(1);
  const nudge = () => void Queue.offerUnsafe(nudges, undefined);
  const reports = new NodeReports();
  yield* receiveNodeReports((report, millis) => {
    reports.accept(report, millis);
    nudge();
  });
  const process = randomBytes(8).toString("hex");
  const leadOnce = Effect.scoped(
    Effect.gen(function* () {
      // Not acquired, for it may take for ever: a node that ends must not wait until it leads.
      const leadership = yield* lead(options.store, options.node, process);
      yield* Effect.addFinalizer(() => leadership.release);
      // Beside the work: a configuration of a million jobs is generated, judged and stored in many seconds.
      return yield* Effect.raceFirst(leadership.keep, work(options, { reports, nudges, nudge }));
    }),
  );
  let told = "";
  yield* Effect.forkScoped(
    Effect.forever(
      leadOnce.pipe(
        Effect.catch((failure) => {
          const text = textOf(failure);
          const isNews = text !== told;
          told = text;
          return isNews ? Effect.logWarning("The control process begins anew.", { why: text }) : Effect.void;
        }),
        Effect.catchCause((cause) => Effect.logError("The control process has crashed and begins anew.", cause)),
        Effect.andThen(Effect.sleep(failureMillis)),
      ),
    ),
  );
  const control: ControlProcess = { nudge };
  return control;
});

interface Surroundings {
  readonly reports: NodeReports;
  readonly nudges: Queue.Queue<void>;
  readonly nudge: () => void;
}

/** For as long as this node leads. Commands are answered whatever becomes of what is under way. */
const work = Effect.fnUntraced(function* (options: ControlOptions, { nudge, nudges, reports }: Surroundings) {
  const shared = yield* shareDesk(options, reports);
  const failed = yield* Deferred.make<never, DeskFailure>();
  yield* answerControl((command) =>
    asksStatus(command)
      ? Effect.flatMap(shared.look, (desk) => Effect.map(statusOf(desk), (done): ControlAnswer => ({ done })))
      : shared
          .use((desk) => answerCommand(desk, command))
          .pipe(
            Effect.map(Result.getOrElse((unavailable) => ({ unavailable }))),
            Effect.catch((failure) =>
              Effect.as(Deferred.fail(failed, failure), { unavailable: textOf(failure) } satisfies ControlAnswer),
            ),
            Effect.tap(() => Effect.sync(nudge)),
          ),
  );
  const audited = keepAudited(shared, options.audit).pipe(
    // A connection that was closed for good throws: with the next desk it is tried again.
    Effect.catchDefect((defect) => Effect.fail(`the audit log: ${String(defect)}`)),
  );
  return yield* Effect.raceAllFirst([goOn(shared, nudges), audited, Deferred.await(failed)]);
});

/** Of this above all nobody waits for what is under way. */
const asksStatus = (command: unknown): boolean => (command as { readonly op?: unknown } | null)?.op === "status";

const goOn = Effect.fnUntraced(function* (
  shared: SharedDesk,
  nudges: Queue.Queue<void>,
): Effect.fn.Return<never, DeskFailure> {
  let toldMillis = 0;
  for (;;) {
    const stepped = yield* shared.use((desk) => step(desk, toldMillis));
    if (Result.isFailure(stepped)) {
      yield* Effect.sleep(failureMillis);
      continue;
    }
    toldMillis = stepped.success;
    yield* Queue.take(nudges).pipe(Effect.timeoutOption(pollMillis));
  }
});

/** @returns when the machine was last told how late it is */
const step = Effect.fnUntraced(function* (desk: Desk, toldMillis: number) {
  const steady = yield* steadyMillis;
  const isDue = steady - toldMillis >= tickMillis;
  if (!desk.isResumed && !(yield* resume(desk))) return toldMillis;
  desk.trouble = undefined;
  yield* dismissLeft(desk);
  switch (desk.machine.value) {
    case "idle":
      yield* retellIfDue(desk, steady);
      yield* proposeIfDue(desk);
      yield* pruneIfDue(desk);
      return toldMillis;
    case "promoting":
      yield* watchAdoption(desk, steady, isDue);
      break;
    case "watching":
      yield* watchSignals(desk, steady, isDue);
      break;
    case "returning":
      yield* watchReturn(desk, steady, isDue);
      break;
    default:
      yield* refusedBy(desk, steady);
  }
  return isDue ? steady : toldMillis;
});

const refusedBy = Effect.fnUntraced(function* (desk: Desk, steady: number) {
  const refusing = desk.reports
    .live(steady)
    .find(({ node, refused }) => refused !== null && refused.number === toldTo(desk, node)?.number);
  if (refusing?.refused == null) return false;
  const reason = `${refusing.node} refuses it (${refusing.refused.rule}): ${refusing.refused.message}`;
  yield* tell(desk, { type: "node.refused", reason, ...(yield* nowAt) });
  return true;
});

const watchAdoption = Effect.fnUntraced(function* (desk: Desk, steady: number, isDue: boolean) {
  if (yield* refusedBy(desk, steady)) return;
  const { nodes, of } = adoptionOf(desk, steady);
  if (of > 0 && nodes === of) {
    countOnNew(desk, steady);
    yield* tell(desk, { type: "nodes.adopted", ...(yield* nowAt) });
  } else if (isDue) yield* tell(desk, { type: "time.passed", ...(yield* nowAt) });
});

/** One that refuses to go back is waited for as well: there is nothing else to be done with it. */
const watchReturn = Effect.fnUntraced(function* (desk: Desk, steady: number, isDue: boolean) {
  const { nodes, of } = returnOf(desk, steady);
  if (of > 0 && nodes === of) yield* tell(desk, { type: "nodes.adopted", ...(yield* nowAt) });
  else if (isDue) yield* tell(desk, { type: "time.passed", ...(yield* nowAt) });
});

const watchSignals = Effect.fnUntraced(function* (desk: Desk, steady: number, isDue: boolean) {
  if (yield* refusedBy(desk, steady)) return;
  const isWatched = desk.machine.context.watchMillis > 0;
  if (isWatched && !isDue) return;
  const read = stepReading(desk, steady);
  const at = yield* nowAt;
  // Nothing is to be watched: nobody needs to have said anything.
  if (!isWatched) yield* tell(desk, { type: "signals.read", breached: null, ...at });
  else if (read === undefined) yield* tell(desk, { type: "time.passed", silent: silentNodes(desk, steady), ...at });
  else yield* tell(desk, { type: "signals.read", breached: read.breached, ...at });
});
