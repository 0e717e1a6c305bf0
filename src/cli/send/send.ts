import { Clock, Console, Effect, Option, Schema, Stream } from "effect";
import { Command, Argument, Flag } from "effect/cli";
import { type CommandFailure, failed, misused } from "../command-failure.ts";
import { connectionTo, jsonFlag, dataUrlFlag } from "../connection.ts";
import { grouped } from "../table.ts";
import { type LineBody, LineCutter } from "./line-cutter.ts";
import { showProgress } from "./progress.ts";
import { openSource, type Source, SourceError } from "./source.ts";
import { SendTally } from "./tally.ts";

const bodyBytesMax = 524_288;
const lineBytesMax = 8_388_608;

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }));

export const send = Command.make(
  "send",
  {
    file: Argument.String("file").pipe(Argument.withDescription("NDJSON, also gzip or zstd compressed; - is stdin")),
    dataset: Flag.String("dataset").pipe(Flag.withAlias("d"), Flag.withDescription("Kind of log, like http_requests")),
    customer: Flag.String("customer").pipe(
      Flag.withAlias("c"),
      Flag.withDescription("Whose records these are"),
      Flag.optional,
    ),
    customerField: Flag.String("customer-field").pipe(
      Flag.withDescription("Field of each record that names its customer (default: what the dataset's catalogue says)"),
      Flag.optional,
    ),
    url: dataUrlFlag,
    batchRecords: Flag.Int("batch-records").pipe(
      Flag.withDescription("Most records in one request (default 1000)"),
      Flag.withSchema(between(1, 100_000)),
      Flag.withDefault(1_000),
    ),
    inFlight: Flag.Int("in-flight").pipe(
      Flag.withDescription("Requests on their way at once (default 4); 1 keeps the order even across repeats"),
      Flag.withSchema(between(1, 64)),
      Flag.withDefault(4),
    ),
    giveUpAfter: Flag.Int("give-up-after").pipe(
      Flag.withDescription("Seconds to repeat a request that meets 429, 503 or no connection (default 300)"),
      Flag.withSchema(between(0, 86_400)),
      Flag.withDefault(300),
    ),
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    if (Option.isSome(flags.customer) && Option.isSome(flags.customerField)) {
      return yield* misused("give --customer or --customer-field, not both");
    }
    const connection = yield* connectionTo(flags.url);
    const source = yield* Effect.tryPromise({ try: () => openSource(flags.file), catch: sourceFailure });
    const tally = new SendTally();
    const started = yield* Clock.currentTimeMillis;
    const say = sayingTo(process.stderr);
    const { openUplink } = yield* Effect.promise(() => import("./uplink.ts"));
    const uplink = yield* openUplink(
      {
        connection,
        dataset: flags.dataset,
        customer: Option.getOrUndefined(flags.customer),
        customerField: Option.getOrUndefined(flags.customerField),
        inFlightMax: flags.inFlight,
        giveUpMillis: flags.giveUpAfter * 1_000,
        say,
      },
      tally,
    );
    const bodies = bodiesOf(source, flags.batchRecords, tally, say);
    const work = Stream.fromAsyncIterable(bodies, sourceFailure).pipe(
      Stream.mapEffect(uplink.send, { concurrency: flags.inFlight }),
      Stream.runDrain,
    );
    yield* Effect.forkScoped(showProgress(source, tally, process.stderr)).pipe(
      Effect.andThen(work),
      Effect.scoped,
      // Interrupted or failed, what was acknowledged is told all the same.
      Effect.ensuring(summarise(tally, started, flags.json)),
    );
    if (!tally.isComplete) return yield* failed("");
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Send records to a node. Records are acknowledged when they are durable; a request that meets 429, 503 or a lost " +
      "connection is repeated under the same idempotency key. The order of the input is kept per customer, except that " +
      "a repeated request may be overtaken (--in-flight 1 prevents that). Exit code 1 unless every record was accepted.",
  ),
  Command.withShortDescription("Send NDJSON records to a node"),
  Command.withExamples([
    { command: "spillway send access.ndjson --dataset http_requests --customer acme", description: "One customer" },
    {
      command: "zcat *.gz | spillway send - --dataset http_requests --customer-field zone",
      description: "A mixed pipe",
    },
  ]),
);

const sourceFailure = (error: unknown): CommandFailure =>
  failed(error instanceof SourceError ? error.message : "the input cannot be read");

const bodiesOf = async function* (
  source: Source,
  recordsMax: number,
  tally: SendTally,
  say: (line: string) => void,
): AsyncGenerator<LineBody> {
  const cutter = new LineCutter({ recordsMax, bytesMax: bodyBytesMax, lineBytesMax }, ({ line }) => {
    tally.sent += 1;
    tally.refused += 1;
    say(`line ${line}: longer than ${lineBytesMax} bytes, not sent`);
  });
  for await (const chunk of source.chunks) yield* cutter.push(chunk);
  yield* cutter.end();
};

/** A line of its own, even while a bar stands on the current one. */
const sayingTo = (stderr: NodeJS.WriteStream) => (line: string) => {
  stderr.write(stderr.isTTY ? `\r\x1b[2K${line}\n` : `${line}\n`);
};

const summarise = (tally: SendTally, started: number, json: boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1_000;
    if (json) return yield* Console.log(JSON.stringify({ ...tally.toJSON(), seconds }));
    const rate = seconds > 0 ? Math.round((tally.sent - tally.unanswered) / seconds) : 0;
    const parts = [
      `sent ${grouped(tally.sent)}`,
      `accepted ${grouped(tally.accepted)}`,
      `unconfigured ${grouped(tally.unconfigured)}`,
      `refused ${grouped(tally.refused)}`,
    ];
    if (tally.unanswered > 0) parts.push(`without an answer ${grouped(tally.unanswered)} (stored or not)`);
    yield* Console.log(`${parts.join(", ")} in ${seconds.toFixed(1)} s (${grouped(rate)} records/s)`);
    if (tally.unlisted > 0) yield* Console.error(`${grouped(tally.unlisted)} refused lines are not listed`);
    if (tally.unconfigured > 0) {
      yield* Console.error("unconfigured records were dropped: no enabled push job wants them (`spillway jobs list`)");
    }
  });
