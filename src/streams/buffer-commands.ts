import type { Msg } from "@nats-io/transport-node";
import { Effect, FiberSet, Schema } from "effect";
import { BufferCommand, CommandAnswer } from "../domain/buffer-command.ts";
import { decodeMessage } from "./decode-message.ts";
import { attempt, Nats } from "./nats.ts";
import { ownerSubject, ownerSubjects, partitionOfOwner } from "./subjects.ts";

/** Nobody who owns the partition answered in time. A command that was on its way may still be carried out. */
export class OwnerSilent extends Schema.TaggedError<OwnerSilent>()("OwnerSilent", { detail: Schema.String }) {}

export interface OwnerLineOptions<R> {
  /** Carries a command out; undefined: this node does not own the partition at this moment. */
  readonly answer: (partition: number, command: BufferCommand) => Effect.Effect<CommandAnswer, never, R> | undefined;
  /** How long an owner may take. */
  readonly answerMillisMax: number;
}

export interface OwnerLine {
  /** Directly when this node owns the partition, else by core NATS. */
  readonly ask: (partition: number, command: BufferCommand) => Effect.Effect<CommandAnswer, OwnerSilent>;
}

/** Commands of other nodes that are carried out here at the same time. */
const commandsMax = 16;

/**
 * Commands to the owner of a partition, whichever node that is. Every node hears every command; only the one that owns
 * the partition when it comes answers, so that nothing has to follow the ownership around.
 */
export const makeOwnerLine = <R>(options: OwnerLineOptions<R>) =>
  Effect.gen(function* () {
    const { control } = yield* Nats;
    const context = yield* Effect.context<R>();
    const fibers = yield* FiberSet.make<void>();
    const runFork = yield* FiberSet.runtime(fibers)();
    const answering = { now: 0 };

    const answered = (message: Msg, answer: Effect.Effect<CommandAnswer, never, R>): Effect.Effect<void> =>
      answer.pipe(
        Effect.catchDefect((defect) =>
          Effect.as(Effect.logError("A command crashed.", { defect: String(defect) }), crashed),
        ),
        Effect.flatMap((said) => Effect.sync(() => void message.respond(JSON.stringify(said)))),
        Effect.ensuring(Effect.sync(() => void (answering.now -= 1))),
        Effect.provideContext(context),
      );
    const take = (message: Msg): void => {
      const command = decodeMessage(isCommand, message);
      const answer = command === undefined ? undefined : options.answer(partitionOfOwner(message.subject), command);
      if (answer === undefined) return;
      if (answering.now >= commandsMax) return void message.respond(JSON.stringify(busy));
      answering.now += 1;
      runFork(answered(message, answer));
    };

    yield* Effect.acquireRelease(
      Effect.sync(() =>
        control.subscribe(ownerSubjects, {
          callback: (error, message) => (error === null ? take(message) : undefined),
        }),
      ),
      (subscription) => Effect.sync(() => subscription.unsubscribe()),
    );

    const ask = (partition: number, command: BufferCommand): Effect.Effect<CommandAnswer, OwnerSilent> =>
      Effect.suspend(() => {
        const own = options.answer(partition, command);
        if (own !== undefined) return Effect.provideContext(own, context);
        return attempt("read", () =>
          control.request(ownerSubject(partition), JSON.stringify(command), { timeout: options.answerMillisMax }),
        ).pipe(
          Effect.mapError(({ detail }) => silent(partition, detail)),
          Effect.flatMap((message) => {
            const answer = decodeMessage(isAnswer, message);
            return answer === undefined
              ? Effect.fail(silent(partition, "its owner answers something else: is it of another version?"))
              : Effect.succeed(answer);
          }),
        );
      });
    return { ask } satisfies OwnerLine;
  });

const silent = (partition: number, detail: string) =>
  new OwnerSilent({ detail: `The owner of partition ${partition} does not answer: ${detail}` });

const busy: CommandAnswer = {
  _tag: "Refused",
  code: "busy",
  detail: `The owner carries out ${commandsMax} commands already: try again in a moment.`,
};
const crashed: CommandAnswer = { _tag: "Unavailable", detail: "The command crashed; the owner's log says why." };

const isCommand = Schema.is(BufferCommand);
const isAnswer = Schema.is(CommandAnswer);
