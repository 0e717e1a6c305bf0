import { Console, DateTime, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import type { HostReport } from "../api/host-reports.ts";
import { openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

interface HostsBody {
  readonly hosts: ReadonlyArray<HostReport>;
  readonly more: boolean;
}

export const hosts = Command.make(
  "hosts",
  {
    limit: Flag.Int("limit").pipe(Flag.withDescription("Print at most so many, up to 1,000"), Flag.withDefault(100)),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const path = `/v1/hosts?limit=${flags.limit}`;
    const body = (yield* client.ask({ method: "GET", path })).body as HostsBody;
    if (flags.json) return yield* Console.log(JSON.stringify(body));
    if (body.hosts.length === 0) return yield* Console.log("No hosts: nothing was pushed from this node lately.");
    yield* Console.log(formatHosts(body.hosts));
    if (body.more) yield* Console.log(`… and more: --limit shows more than ${flags.limit}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "List the destination hosts that this node pushes to, those in trouble first: circuit, pushes at once (window), " +
      "in flight and waiting, push jobs, the time before which there is no push, and what its last answer said.",
  ),
  Command.withShortDescription("Destination hosts, those in trouble first"),
  Command.withExamples([{ command: "spillway hosts --json", description: "For scripts" }]),
);

const right = new Set(["window", "in flight", "waiting", "jobs"]);

const formatHosts = (all: ReadonlyArray<HostReport>): string =>
  formatTable(
    ["host", "circuit", "window", "in flight", "waiting", "jobs", "not before", "last evidence"].map((title) => ({
      title,
      align: right.has(title) ? "right" : "left",
    })),
    all.map(({ circuit, concurrency, evidence, host, inFlight, jobs, notBeforeMillis, waiting }) => [
      host,
      circuit,
      ...[concurrency, inFlight, waiting, jobs].map(grouped),
      notBeforeMillis === 0 ? "-" : timeOf(notBeforeMillis),
      evidence === null ? "-" : `${evidence.says} at ${timeOf(evidence.millis)}`,
    ]),
  );

const timeOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis));
