import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import type { CommandReport } from "../../domain/buffer-command.ts";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { grouped } from "../table.ts";
import { bufferPath, jobArgument } from "./buffer-path.ts";

const switching = (name: "resume" | "quarantine", about: string, description: string) =>
  Command.make(
    name,
    { job: jobArgument, url: urlFlag, json: jsonFlag },
    Effect.fn(function* (flags) {
      const client = yield* openClient(yield* connectionTo(flags.url));
      const { body } = yield* client.ask({ method: "POST", path: `${bufferPath(flags.job)}/${name}` });
      const report = body as CommandReport;
      if (flags.json) return yield* Console.log(JSON.stringify(report));
      const { after, backlogRecords, before, job } = report;
      const change = before === after ? `${job} is ${after} as before` : `${job} was ${before}, is ${after}`;
      yield* Console.log(`${change}; ${grouped(backlogRecords)} records pending`);
    }, Effect.scoped),
  ).pipe(
    Command.withDescription(description),
    Command.withShortDescription(about),
    Command.withExamples([{ command: `spillway buffers ${name} acme-http`, description: about }]),
  );

export const resume = switching(
  "resume",
  "Go on now",
  "Let a buffer go on now: out of quarantine or suspension, or without waiting for its next retry. Nothing is lost.",
);

export const quarantine = switching(
  "quarantine",
  "Isolate a buffer",
  "Isolate a buffer: nothing is pushed, its records stay in the log as its backlog, until somebody resumes it.",
);
