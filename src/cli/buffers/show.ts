import { Console, DateTime, Effect } from "effect";
import { Command } from "effect/cli";
import type { BufferReport } from "../../api/buffer-reports.ts";
import { accounts } from "../../domain/books.ts";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { formatTable, grouped, shortDuration } from "../table.ts";
import { bufferPath, jobArgument } from "./buffer-path.ts";

export const show = Command.make(
  "show",
  { job: jobArgument, url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const buffer = (yield* client.ask({ method: "GET", path: bufferPath(flags.job) })).body as BufferReport;
    yield* Console.log(flags.json ? JSON.stringify(buffer) : formatBuffer(buffer));
  }, Effect.scoped),
).pipe(
  Command.withDescription("Print everything that this node knows of one buffer: where it stands, why, and its books"),
  Command.withShortDescription("Print one buffer in full"),
  Command.withExamples([{ command: "spillway buffers show acme-http", description: "Why is it not delivering?" }]),
);

const time = (millis: number | null): string =>
  millis === null ? "-" : DateTime.formatIso(DateTime.makeUnsafe(millis));

export const formatBuffer = (buffer: BufferReport): string => {
  const { batch, evidence, lossMark, part, refusal, revisions } = buffer;
  const lines: ReadonlyArray<readonly [string, string]> = [
    ["push job", `${buffer.job} (${buffer.customer} ${buffer.dataset}, partition ${buffer.partition})`],
    ["enabled", buffer.enabled ? "yes" : "no"],
    ["delivery", buffer.delivery],
    ["flow", buffer.flow ?? "-"],
    [
      "revision",
      `${revisions.effective}${revisions.newest === revisions.effective ? "" : `, soon ${revisions.newest}`}`,
    ],
    ["backlog", `${grouped(buffer.backlogRecords)} records, ${grouped(buffer.backlogBytes)} bytes`],
    ["lag", buffer.backlogRecords === 0 ? "-" : shortDuration(buffer.lagMillis)],
    ["settled up to", String(buffer.cursor)],
    ["counted up to", String(buffer.counted)],
    ...(buffer.reread ? [["read again up to", String(buffer.fedTo)] as const] : []),
    ["window", `${grouped(buffer.windowBytes)} bytes`],
    [
      "batch",
      batch === null
        ? "-"
        : `${batch.first} to ${batch.last}, ${grouped(batch.records)} records, ${buffer.attempts} failed attempts`,
    ],
    ...(part === null ? [] : [["part of it", `records ${part.from} to ${part.to}`] as const]),
    ["next attempt", time(buffer.retryAtMillis)],
    ...(refusal === null ? [] : [["refused", `${refusal.reason}: ${refusal.detail}`] as const]),
    ["last success", time(buffer.lastSuccessMillis)],
    ["last error", buffer.lastError === null ? "-" : `${time(buffer.lastErrorMillis)} ${buffer.lastError}`],
    ...(evidence === null
      ? []
      : [["quarantined", `${time(evidence.millis)} during ${evidence.event}: ${evidence.error}`] as const]),
    ...(lossMark === null ? [] : [["to be told", `${grouped(lossMark.records)} records ${lossMark.reason}`] as const]),
  ];
  const width = Math.max(...lines.map(([title]) => title.length));
  const sections = [lines.map(([title, value]) => `${title.padEnd(width)}  ${value}`).join("\n"), formatBooks(buffer)];
  if (buffer.recent.length > 0) sections.push(formatRecent(buffer.recent));
  return sections.join("\n\n");
};

const formatBooks = ({ books, unexplained }: BufferReport): string =>
  formatTable(
    [
      { title: "account", align: "left" },
      { title: "records", align: "right" },
      { title: "bytes", align: "right" },
    ],
    [...accounts.map((account) => [account, books[account]] as const), ["unexplained", unexplained] as const].map(
      ([account, { bytes, records }]) => [account, grouped(records), grouped(bytes)],
    ),
  );

const formatRecent = (recent: BufferReport["recent"]): string =>
  formatTable(
    ["time", "event", "delivery", "flow"].map((title) => ({ title, align: "left" })),
    recent.map(({ delivery, event, flow, millis }) => [time(millis), event, delivery, flow]),
  );
