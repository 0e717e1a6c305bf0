// A process that holds an embedded server until it is killed: node start-in-child.ts DATA_DIRECTORY
import { Effect } from "effect";
import { startEmbeddedServer } from "../../../src/streams/embedded/server.ts";

const program = Effect.gen(function* () {
  const server = yield* startEmbeddedServer({
    dataDirectory: process.argv[2] ?? "",
    fileStoreBytesMax: 1_073_741_824,
    messageBytesMax: 8_388_608,
  });
  process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid() })}\n`);
  yield* Effect.never;
}).pipe(
  Effect.scoped,
  Effect.catch((error) => Effect.sync(() => process.stdout.write(`${JSON.stringify({ error: error.message })}\n`))),
);

Effect.runFork(program);
// Effect.never alone does not keep the process.
process.stdin.resume();
