import { connect } from "node:net";
import { Effect, Option, Schema } from "effect";

/** What a nats-server says of itself to everyone who connects. */
export const Greeting = Schema.Struct({
  server_name: Schema.String,
  version: Schema.String,
  jetstream: Schema.optional(Schema.Boolean),
});
export type Greeting = typeof Greeting.Type;

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Greeting));
const greetingBytesMax = 65_536;
const greetingMillisMax = 2_000;

/** Connects to 127.0.0.1 and reads the INFO line; undefined when nobody answers, or not as a nats-server would. */
export const readGreeting = (port: number): Effect.Effect<Greeting | undefined> =>
  Effect.callback<Greeting | undefined>((resume) => {
    const socket = connect({ host: "127.0.0.1", port });
    let text = "";
    const finish = (greeting: Greeting | undefined) => {
      socket.destroy();
      resume(Effect.succeed(greeting));
    };
    socket.setEncoding("utf8");
    socket.setTimeout(greetingMillisMax, () => finish(undefined));
    socket.on("data", (part) => {
      text += part;
      const end = text.indexOf("\r\n");
      if (end >= 0) finish(parseGreeting(text.slice(0, end)));
      else if (text.length > greetingBytesMax) finish(undefined);
    });
    socket.once("error", () => finish(undefined));
    socket.once("close", () => finish(undefined));
    return Effect.sync(() => socket.destroy());
  });

export const parseGreeting = (line: string): Greeting | undefined =>
  line.startsWith("INFO ") ? Option.getOrUndefined(decode(line.slice("INFO ".length))) : undefined;
