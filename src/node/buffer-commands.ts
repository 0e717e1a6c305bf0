import { DateTime, Effect, Option } from "effect";
import { Owner } from "../actors/owner.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import type { Log } from "../actors/ports/log.ts";
import { BufferCommands, BufferNotFound, CommandRefused, type SkipInput } from "../api/buffers-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import type { BufferCommand, CommandAnswer } from "../domain/buffer-command.ts";
import { partitionOf } from "../domain/partition.ts";
import { makeOwnerLine } from "../streams/buffer-commands.ts";
import { runBufferCommand } from "./run-buffer-command.ts";

export interface BufferCommandsOptions {
  readonly partitions: number;
  readonly readBytesMax: number;
}

/** Longer than a skip waits for an attempt in flight, shorter than a client waits for its answer. */
const answerMillisMax = 20_000;

/** Commands for the API: to the owner of the job's partition, which may be another node. */
export const makeBufferCommands = Effect.fnUntraced(function* (options: BufferCommandsOptions) {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const line = yield* makeOwnerLine<Log>({
    answerMillisMax,
    answer: (partition, command) => {
      const owned = owner.owned().get(partition);
      return owned === undefined ? undefined : runBufferCommand(owned, command, options);
    },
  });

  const send = Effect.fnUntraced(function* (command: BufferCommand) {
    const stored = jobs.served().byId.get(command.job);
    if (stored === undefined) return yield* new BufferNotFound({ job: command.job });
    const { customer, dataset } = stored.job;
    const answer = yield* line
      .ask(partitionOf(customer, dataset, options.partitions), command)
      .pipe(Effect.mapError(({ detail }) => new ApiUnavailable({ detail })));
    return yield* resultOf(command.job, answer);
  });

  return BufferCommands.of({
    resume: (job) => send({ job, command: "resume" }),
    quarantine: (job) => send({ job, command: "quarantine" }),
    skip: (job, input) => Effect.flatMap(skipOf(input), (to) => send({ job, command: "skip", to })),
  });
});

const resultOf = (job: string, answer: CommandAnswer) => {
  switch (answer._tag) {
    case "Done":
      return Effect.succeed(answer.report);
    case "NotFound":
      return Effect.fail(new BufferNotFound({ job }));
    case "Refused":
      return Effect.fail(new CommandRefused({ code: answer.code, detail: answer.detail }));
    case "Unavailable":
      return Effect.fail(new ApiUnavailable({ detail: answer.detail }));
  }
};

const skipOf = (input: SkipInput): Effect.Effect<NonNullable<BufferCommand["to"]>, CommandRefused> => {
  if (input === "now") return Effect.succeed(input);
  if (typeof input === "number") return Effect.succeed({ sequence: input });
  // A date alone or one without a zone would mean another moment on another machine.
  const time = /T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(input) ? DateTime.make(input) : Option.none();
  return Option.isSome(time)
    ? Effect.succeed({ millis: DateTime.toEpochMillis(time.value) })
    : Effect.fail(
        new CommandRefused({
          code: "invalid_skip",
          detail: 'to: must be "now", a sequence, or a time with its zone such as 2026-11-23T07:00:00Z',
        }),
      );
};
