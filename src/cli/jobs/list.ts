import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { followPages } from "../../api/follow-pages.ts";
import type { Destination } from "../../domain/destination.ts";
import { type ApiClient, openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { formatTable } from "../table.ts";
import type { ShownJob } from "./shown-job.ts";

export const list = Command.make(
  "list",
  { url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const jobs = yield* listJobs(client);
    if (flags.json) return yield* Console.log(JSON.stringify({ jobs }));
    if (jobs.length === 0) return yield* Console.log("No push jobs yet: `spillway jobs put FILE` stores some.");
    yield* Console.log(formatJobs(jobs));
  }, Effect.scoped),
).pipe(
  Command.withDescription("List push jobs"),
  Command.withExamples([{ command: "spillway jobs list --json", description: "For scripts" }]),
);

const listJobs = Effect.fnUntraced(function* (client: ApiClient) {
  const { found } = yield* followPages((page) =>
    client.ask({ method: "GET", path: `/v1/jobs?${new URLSearchParams(page).toString()}` }).pipe(
      Effect.map(({ body }) => {
        const { jobs, next } = body as { readonly jobs: ReadonlyArray<ShownJob>; readonly next?: string };
        return { items: jobs, next };
      }),
    ),
  );
  return found;
});

const formatJobs = (jobs: ReadonlyArray<ShownJob>): string =>
  formatTable(
    ["id", "customer", "dataset", "enabled", "destination", "revision"].map((title) => ({
      title,
      align: title === "revision" ? "right" : "left",
    })),
    jobs.map(({ job, revision }) => [
      job.id,
      job.customer,
      job.dataset,
      job.enabled ? "yes" : "no",
      locate(job.destination),
      String(revision),
    ]),
  );

const locate = (destination: Destination): string => {
  switch (destination.kind) {
    case "file":
      return `file ${destination.path}`;
    case "http":
      return `http ${destination.url}`;
    case "s3":
      return `s3 ${destination.bucket}/${destination.path ?? ""}`;
  }
};
