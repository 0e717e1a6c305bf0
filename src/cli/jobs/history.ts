import { Console, DateTime, Effect } from "effect";
import { Command } from "effect/cli";
import type { JobHistoryReport, JobRevisionReport } from "../../api/job-history-reports.ts";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { formatTable } from "../table.ts";
import { idArgument } from "./get.ts";
import { jobPath } from "./shown-job.ts";

export const history = Command.make(
  "history",
  { id: idArgument, url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const body = (yield* client.ask({ method: "GET", path: `${jobPath(flags.id)}/history` })).body as JobHistoryReport;
    yield* Console.log(flags.json ? JSON.stringify(body) : historyText(body));
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Who changed a push job, when, what and why: its last 64 revisions, newest first. A deleted one has a history, too.",
  ),
  Command.withShortDescription("Who changed a push job, when, what and why"),
  Command.withExamples([
    { command: "spillway jobs history acme-http", description: "The revisions of one job" },
    { command: "spillway jobs history acme-http --json", description: "With the settings of each" },
  ]),
);

const historyText = ({ revisions }: JobHistoryReport): string =>
  formatTable(
    ["revision", "at", "change", "by", "why"].map(
      (title) => ({ title, align: title === "revision" ? "right" : "left" }) as const,
    ),
    revisions.map((revision) => [
      String(revision.revision),
      DateTime.formatIso(DateTime.makeUnsafe(revision.millis)),
      changeText(revision),
      revision.who === "" ? "unknown" : revision.who,
      revision.why === "" ? "-" : revision.why,
    ]),
  );

const changeText = ({ change, differs, restoreOf }: JobRevisionReport): string => {
  if (change === "restored") return `restored as of ${restoreOf}`;
  return change === "updated" && differs.length > 0 ? `updated: ${differs.join(", ")}` : change;
};
