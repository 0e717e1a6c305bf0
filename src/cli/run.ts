import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Cause, Console, Effect, Exit, Layer, Predicate, Runtime } from "effect";
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli";
import { loggingLayer } from "../observability/logging.ts";
import { CommandFailure } from "./command-failure.ts";
import { packageVersion } from "./package-version.ts";
import { spillway } from "./spillway.ts";

/**
 * Runs the command line and ends the process: 0 it worked, 1 it did not, 2 it was asked wrongly (`config plan`: 1), 130
 * interrupted.
 */
export const runCli = (): void => {
  endQuietlyOnClosedPipe();
  const program = Command.run(spillway, { version: packageVersion() }).pipe(
    Effect.tapCause(explain),
    Effect.provide(Layer.mergeAll(NodeServices.layer, loggingLayer, CliOutput.layerPresenter(presenter), globalFlags)),
  );
  NodeRuntime.runMain(program, { disableErrorReporting: true, teardown });
};

/** The level of logs is a setting (SPILLWAY_LOG_LEVEL), the same for every command and for a service file. */
const globalFlags = Layer.succeed(CliConfig.CliConfig, {
  builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions],
});

/** `spillway books | head` closes our stdout: there is nobody left to tell. */
const endQuietlyOnClosedPipe = () => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      process.exit(error.code === "EPIPE" ? 0 : 1);
    });
  }
};

/** One line instead of a stack trace; a defect is ours and says so. */
const explain = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void;
  const error = Cause.squash(cause);
  if (error instanceof CommandFailure) {
    return error.message === "" ? Effect.void : Console.error(`spillway: ${error.message}`);
  }
  // Told by the presenter already.
  if (CliError.isCliError(error)) return Effect.void;
  return Effect.andThen(
    Console.error("spillway: internal error; SPILLWAY_LOG_LEVEL=debug shows where"),
    Effect.logDebug("internal error", cause),
  );
};

/** A usage error is one line and a hint: the whole help would push it out of sight. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    switch (event._tag) {
      case "Version":
        return Console.log(`${event.name} ${event.version}`);
      case "InvalidInvocation": {
        const lines = event.errors.map((error) => `spillway: ${error.message}`);
        return Console.error([...lines, `Try \`${event.commandPath.join(" ")} --help\`.`].join("\n"));
      }
      case "Help":
        return CliOutput.defaultPresenter.present(event);
    }
  },
};

/** Signals are how a node, or somebody's watching, is meant to end. */
const isNodeCommand = () => ["dev", "serve", "inspect"].includes(process.argv[2] ?? "");

/** Of this one command 2 says that something would change: a script must not take a misspelt flag for that. */
const isPlan = () => {
  const [group, command] = process.argv.slice(2).filter((word) => !word.startsWith("-"));
  return group === "config" && command === "plan";
};

const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0);
  if (Cause.hasInterruptsOnly(exit.cause)) return onExit(isNodeCommand() ? 0 : 130);
  const error = Cause.squash(exit.cause);
  const misuse = isPlan() ? 1 : 2;
  // Without a message it has said it all: that is its answer.
  if (error instanceof CommandFailure)
    return onExit(error.exitCode === 2 && error.message !== "" ? misuse : error.exitCode);
  if (CliError.isCliError(error)) {
    return onExit(Predicate.isTagged(error, "ShowHelp") && error.errors.length === 0 ? 0 : misuse);
  }
  onExit(1);
};
