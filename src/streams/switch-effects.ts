import { createInbox, type Msg } from "@nats-io/transport-node";
import { Effect, FiberSet, Schema } from "effect";
import type { SwitchTarget } from "../domain/kill-switch.ts";
import { OwnedBacklog, SwitchQuestion } from "../domain/switch-effect.ts";
import { decodeMessage } from "./decode-message.ts";
import { Nats } from "./nats.ts";
import { switchEffectSubject } from "./subjects.ts";

export interface SwitchEffectsOptions<R> {
  readonly partitions: number;
  /** What this node owns of it; a node that owns nothing says that it owns no partitions. */
  readonly own: (target: SwitchTarget) => Effect.Effect<OwnedBacklog, never, R>;
}

/** Sums of all owners, and how many partitions nobody has spoken for. */
export interface GatheredBacklog extends Omit<OwnedBacklog, "partitions"> {
  readonly partitionsUnheard: number;
}

/** Who owns what is not known here: everybody is asked, and those who do not answer in time are said to be missing. */
const answersMillisMax = 1_500;
/** Questions that are answered here at the same time: each looks at all jobs. */
const answeringMax = 2;
/** A cluster has fewer nodes: who answers after so many is not heard. */
const answersMax = 1_000;

/** Asks every owner what a switch would hold, and answers when others ask. */
export const makeSwitchEffects = <R>(options: SwitchEffectsOptions<R>) =>
  Effect.gen(function* () {
    const { connected, control } = yield* Nats;
    const context = yield* Effect.context<R>();
    const runFork = yield* FiberSet.runtime(yield* FiberSet.make<void>())();
    let answering = 0;

    const take = (message: Msg): void => {
      const target = decodeMessage(isQuestion, message);
      if (target === undefined || message.reply === undefined || answering >= answeringMax) return;
      answering += 1;
      runFork(
        options.own(target).pipe(
          Effect.tap((own) => Effect.sync(() => own.partitions.length > 0 && message.respond(JSON.stringify(own)))),
          Effect.catchDefect((defect) =>
            Effect.logError("What a kill switch holds cannot be told.", { defect: String(defect) }),
          ),
          Effect.ensuring(Effect.sync(() => void (answering -= 1))),
          Effect.asVoid,
          Effect.provideContext(context),
        ),
      );
    };
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        control.subscribe(switchEffectSubject, {
          callback: (error, message) => (error === null ? take(message) : undefined),
        }),
      ),
      (subscription) => Effect.sync(() => subscription.unsubscribe()),
    );

    /** Answers of others, until all partitions are heard or the time is over. */
    const askOthers = (target: SwitchTarget, heard: Map<number, OwnedBacklog>) =>
      Effect.callback<void>((resume) => {
        let answers = 0;
        const inbox = createInbox();
        const subscription = control.subscribe(inbox, {
          callback: (error, message) => {
            const answer = error === null ? decodeMessage(isBacklog, message) : undefined;
            answers += 1;
            for (const partition of answer?.partitions ?? []) {
              // The first to claim it: two do while it changes hands.
              if (partition < options.partitions && !heard.has(partition)) heard.set(partition, answer!);
            }
            if (heard.size >= options.partitions || answers >= answersMax) resume(Effect.void);
          },
        });
        control.publish(switchEffectSubject, JSON.stringify(target), { reply: inbox });
        return Effect.sync(() => subscription.unsubscribe());
      }).pipe(Effect.timeoutOption(answersMillisMax));

    return Effect.fn("switches.effect")(function* ({ kind, target }: SwitchTarget) {
      const own = yield* Effect.provideContext(options.own({ kind, target }), context);
      const heard = new Map<number, OwnedBacklog>(own.partitions.map((partition) => [partition, own]));
      if (heard.size < options.partitions && connected()) {
        yield* askOthers({ kind, target }, heard).pipe(Effect.catchDefect(() => Effect.void));
      }
      return summed(heard, options.partitions);
    });
  });

const summed = (heard: ReadonlyMap<number, OwnedBacklog>, partitions: number): GatheredBacklog => {
  const all = [...new Set(heard.values())];
  const sum = (of: (each: OwnedBacklog) => number) => all.reduce((total, each) => total + of(each), 0);
  return {
    buffers: sum(({ buffers }) => buffers),
    backlogRecords: sum(({ backlogRecords }) => backlogRecords),
    backlogBytes: sum(({ backlogBytes }) => backlogBytes),
    partitionsUnheard: partitions - heard.size,
  };
};

const isQuestion = Schema.is(SwitchQuestion);
const isBacklog = Schema.is(OwnedBacklog);
