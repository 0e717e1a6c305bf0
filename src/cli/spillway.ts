import { Command } from "effect/cli";
import { alerts } from "./alerts.ts";
import { audit } from "./audit.ts";
import { books } from "./books.ts";
import { config } from "./config/config.ts";
import { buffers } from "./buffers/buffers.ts";
import { deadLetters } from "./dead-letters/dead-letters.ts";
import { dev } from "./dev.ts";
import { drill } from "./drill/drill.ts";
import { inspect } from "./inspect/inspect.ts";
import { jobs } from "./jobs/jobs.ts";
import { datasets } from "./datasets.ts";
import { hosts } from "./hosts.ts";
import { kill } from "./kill/kill.ts";
import { limits } from "./limits.ts";
import { receipts } from "./receipts.ts";
import { replay } from "./replay.ts";
import { replays } from "./replays.ts";
import { send } from "./send/send.ts";
import { serve } from "./serve.ts";
import { version } from "./version.ts";

/** The whole command line. */
export const spillway = Command.make("spillway").pipe(
  Command.withDescription("Multi-tenant log delivery that survives its own misconfiguration."),
  Command.withExamples([
    { command: "spillway dev --jobs jobs.yaml", description: "Run a node with its own nats-server" },
    {
      command: "spillway send access.ndjson --dataset http_requests --customer acme",
      description: "Send records to it",
    },
    { command: "spillway books", description: "See what became of every record" },
  ]),
  Command.withSubcommands([
    dev,
    serve,
    send,
    jobs,
    config,
    books,
    buffers,
    deadLetters,
    receipts,
    replay,
    replays,
    inspect,
    datasets,
    hosts,
    kill,
    limits,
    alerts,
    audit,
    drill,
    version,
  ]),
);
