import { Effect, Option } from "effect";
import { Argument, Flag } from "effect/cli";
import { misused } from "../command-failure.ts";

/** `job/sequence/index`, as `list` prints it. */
export const letterArgument = Argument.String("letter").pipe(
  Argument.withDescription("A dead letter, JOB/SEQUENCE/INDEX as `list` prints it"),
);

export const jobFlag = Flag.String("job").pipe(
  Flag.withDescription("All dead letters of this push job"),
  Flag.optional,
);

const pattern = /^([A-Za-z0-9-][A-Za-z0-9_-]{0,63})\/(\d{1,15})\/(\d{1,15})$/;

export const letterPath = Effect.fnUntraced(function* (letter: string) {
  const parts = pattern.exec(letter);
  if (parts === null)
    return yield* misused(`a dead letter is JOB/SEQUENCE/INDEX, such as acme-http/812/3, not "${letter}"`);
  return `/v1/dead-letters/${parts[1]}/${parts[2]}/${parts[3]}`;
});

export const jobLettersPath = (job: string): string => `/v1/dead-letters/${encodeURIComponent(job)}`;

/** One letter or all of a job, never both and never neither. */
export const oneOrAll = Effect.fnUntraced(function* (letter: Option.Option<string>, job: Option.Option<string>) {
  if (Option.isSome(letter) === Option.isSome(job)) {
    return yield* misused("name one dead letter (JOB/SEQUENCE/INDEX), or all of a push job with --job");
  }
  return Option.isSome(letter)
    ? ({ _tag: "One", path: yield* letterPath(letter.value), letter: letter.value } as const)
    : ({ _tag: "All", job: Option.getOrElse(job, () => "") } as const);
});
