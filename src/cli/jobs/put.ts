import { Console, Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { type EditedJob, transactionChangesMax } from "../../domain/job-transaction.ts";
import { describeAnswer, openClient } from "../client.ts";
import type { ApiAnswer } from "../exchange.ts";
import { failed } from "../command-failure.ts";
import { type Connection, connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { grouped } from "../table.ts";

/** What `POST /v1/jobs/transactions` answers. */
interface Transaction {
  readonly changes: ReadonlyArray<EditedJob>;
  readonly dryRun: boolean;
}

export const put = Command.make(
  "put",
  {
    file: Argument.String("file").pipe(Argument.withDescription("YAML or JSON with one push job or many; - is stdin")),
    remove: Flag.String("remove").pipe(
      Flag.withDescription("Id of a push job to delete in the same transaction; may be given several times"),
      Flag.between(0, transactionChangesMax),
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Have the node check everything and say what would change; change nothing"),
      Flag.withDefault(false),
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* ({ dryRun, file, json, remove, url }) {
    const connection = yield* connectionTo(url);
    const client = yield* openClient(connection);
    // The YAML parser is loaded by the one command that needs it.
    const { readJobs } = yield* Effect.promise(() => import("./read-jobs.ts"));
    const jobs = yield* readJobs(file);
    const count = jobs.length + remove.length;
    if (count > transactionChangesMax) return yield* failed(tooMany(file, count));
    const answer = yield* client.ask({
      method: "POST",
      path: "/v1/jobs/transactions",
      json: { changes: [...jobs.map((job) => ({ put: job })), ...remove.map((id) => ({ remove: id }))], dryRun },
      expect: [400, 409, 413],
    });
    if (answer.status >= 300)
      return yield* failed(refusalOf(answer, [...jobs.map(({ id }) => id), ...remove], connection));
    const { changes } = answer.body as Transaction;
    yield* Console.log(json ? JSON.stringify({ jobs: changes, dryRun }) : describe(changes, dryRun));
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Create or replace push jobs from a file, all of them or none: one job, a list of jobs, or {jobs: [...]}. " +
      "Relative paths of file destinations are relative to the file; ${NAME} in a destination is taken from the environment.",
  ),
  Command.withShortDescription("Create or replace push jobs from a file, all or none"),
  Command.withExamples([
    {
      command: "spillway jobs put jobs.yaml --dry-run",
      description: "Check every job of a file, say what would change",
    },
    { command: "spillway jobs put jobs.yaml", description: "Store every job of a file" },
    { command: "spillway jobs put new.yaml --remove old-id", description: "Let one job take the place of another" },
    { command: "spillway jobs get a | sed s/30/60/ | spillway jobs put -", description: "Edit in a pipe" },
  ]),
);

const tooMany = (file: string, count: number): string =>
  `${file === "-" ? "stdin" : file}: ${grouped(count)} changes are more than one transaction takes ` +
  `(${grouped(transactionChangesMax)}); nothing was sent. Split the file: each part is then stored whole or not at all.`;

/** The node knows places in the request; who reads this knows ids. */
const refusalOf = (answer: ApiAnswer, ids: ReadonlyArray<string>, connection: Connection): string => {
  const text = describeAnswer(answer, connection)
    .replaceAll(/changes\[(\d+)\]\.put(?=[.[])\.?/g, (place, index: string) => `${ids[Number(index)] ?? place}: `)
    .replaceAll(/changes\[(\d+)\]/g, (place, index: string) => ids[Number(index)] ?? place);
  const hint = answer.status === 413 ? "; split the file: each part is then stored whole or not at all" : "";
  return `nothing was stored: ${text}${hint}`;
};

const describe = (changes: ReadonlyArray<EditedJob>, dryRun: boolean): string => {
  const lines = changes.map(({ change, id, revision }) => {
    if (change === "unchanged")
      return revision === 0 ? `unchanged ${id}: no such job` : `unchanged ${id} at revision ${revision}`;
    return dryRun ? `would be ${change}: ${id}` : `${change} ${id} at revision ${revision}`;
  });
  if (changes.length === 1 && !dryRun) return lines.join("\n");
  const counts = (["created", "updated", "removed", "unchanged"] as const).flatMap((what) => {
    const count = changes.filter(({ change }) => change === what).length;
    return count === 0 ? [] : [`${grouped(count)} ${what}`];
  });
  const end = dryRun ? "dry run, nothing was written" : "in one transaction";
  return [...lines, `${counts.join(", ")} (${end})`].join("\n");
};
