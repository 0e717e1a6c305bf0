import { Cause, Config, Effect, Layer, Logger, References } from "effect";
import { redact } from "./redaction.ts";

/**
 * Logs go to stderr, so that stdout stays what a command was asked for: JSON lines for programs, one readable line on a
 * terminal. Level from SPILLWAY_LOG_LEVEL (trace, debug, info, warn, error, none); info unless it says otherwise.
 */
export const loggingLayer: Layer.Layer<never> = Layer.unwrap(
  Effect.gen(function* () {
    const text = yield* Config.String("SPILLWAY_LOG_LEVEL").pipe(Config.withDefault("info"));
    const level = levels[text.toLowerCase()];
    const write = writerTo(process.stderr);
    const logger = process.stderr.isTTY ? readableLogger(write) : jsonLogger(write);
    if (level === undefined) {
      const known = Object.keys(levels).join(", ");
      yield* Effect.logWarning(`SPILLWAY_LOG_LEVEL is "${text.slice(0, 40)}", not one of ${known}: info is used.`).pipe(
        Effect.provide(Logger.layer([logger])),
      );
    }
    return Layer.mergeAll(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, level ?? "Info"));
  }).pipe(Effect.orDie),
);

const levels: Readonly<Record<string, "Trace" | "Debug" | "Info" | "Warn" | "Error" | "None">> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  warning: "Warn",
  error: "Error",
  none: "None",
};

/** Receives one line without its newline. */
export type WriteLine = (line: string) => void;

const pendingBytesMax = 65_536;

/** Lines of one turn of the event loop leave in one write: there may be thousands a second. None is kept longer. */
const writerTo = (stream: NodeJS.WriteStream): WriteLine => {
  let pending = "";
  const flush = () => {
    if (pending === "") return;
    const text = pending;
    pending = "";
    stream.write(text);
  };
  process.once("exit", flush);
  return (line) => {
    if (pending === "") setImmediate(flush);
    pending += `${line}\n`;
    if (pending.length > pendingBytesMax) flush();
  };
};

interface Entry {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** `{"time", "level", "message", …annotations, "cause"?}`; nothing leaves that the redaction guard has not seen. */
export const jsonLogger = (write: WriteLine): Logger.Logger<unknown, void> =>
  Logger.make((options) => write(JSON.stringify(entryOf(options))));

/** `12:30:01.123 WARN message key=value`. */
export const readableLogger = (write: WriteLine): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    const { time, level, message, cause, ...fields } = entryOf(options);
    const pairs = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    const line = [time.slice(11, 23), level.toUpperCase().padEnd(5), message, ...pairs].join(" ");
    write(typeof cause === "string" ? `${line}\n${cause}` : line);
  });

const entryOf = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): Entry => {
  const parts = Array.isArray(message) ? message : [message];
  const texts: Array<string> = [];
  const fields: Record<string, unknown> = {};
  for (const part of parts) {
    if (typeof part === "object" && part !== null && !(part instanceof Error)) Object.assign(fields, redact(part));
    else texts.push(String(redact(part)));
  }
  return {
    time: date.toISOString(),
    level: logLevel.toLowerCase(),
    message: texts.join(" "),
    ...(redact(fiber.getRef(References.CurrentLogAnnotations)) as object),
    ...fields,
    ...(cause.reasons.length > 0 ? { cause: redact(Cause.pretty(cause)) } : {}),
  };
};
