import { Schema } from "effect";

/** A command that ends without success: one line for people on stderr, and the exit code. */
export class CommandFailure extends Schema.TaggedError<CommandFailure>()("CommandFailure", {
  /** What went wrong and what to do. Empty when the command has said it all already. */
  message: Schema.String,
  /** 1: it did not work. 2: it was asked wrongly. Above: what became of what was asked, see the command. */
  exitCode: Schema.Literals([1, 2, 3, 4, 5]),
}) {}

export const failed = (message: string) => new CommandFailure({ message, exitCode: 1 });

export const misused = (message: string) => new CommandFailure({ message, exitCode: 2 });
