import { writeFile } from "node:fs/promises";
import { readBooks } from "./books.ts";
import { checkDeliveries } from "./check/check-deliveries.ts";
import { readFiles } from "./check/read-files.ts";
import { readObjects } from "./check/read-objects.ts";
import { type PostCounts, readPosts } from "./check/read-posts.ts";
import type { ReadBatches } from "./check/stored-batch.ts";
import { CpuMeter } from "./cpu-meter.ts";
import { watchDeliveries } from "./delivery-watch.ts";
import { customerName } from "./generator/customer-name.ts";
import { startHelper } from "./helper-process.ts";
import { keepRunning, killPoints } from "./kills.ts";
import type { DemoOptions } from "./options.ts";
import { number, Progress } from "./progress.ts";
import { type DestinationKind, kindOf, type Places, pushJobs } from "./push-jobs.ts";
import { type DemoResult, type Evidence, problemsOf, resultOf } from "./receipt.ts";
import { booksTable, checkReport, kindOfCustomerName, nextSteps } from "./report.ts";
import { type SendCounts, sendBodies } from "./sender.ts";
import { makeSource, type Source } from "./source.ts";
import { SpillwayProcess } from "./spillway-process.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

/** Runs the demo; `out` takes what is for people. */
export const runDemo = async (
  options: DemoOptions,
  out: NodeJS.WriteStream,
  interrupted: AbortSignal,
): Promise<{ readonly result: DemoResult; readonly good: boolean }> => {
  const progress = new Progress(out);
  await using workspace = await openWorkspace(options);
  const source = await makeSource(options);
  progress.say(`Spillway, its nats-server, an HTTP receiver and an S3 server, in ${workspace.directory}`);
  await using receiver = await startHelper<{ url: string }>(new URL("receiver.ts", import.meta.url), [workspace.posts]);
  await using s3 = await startHelper<Places["s3"]>(new URL("s3-process.ts", import.meta.url), [workspace.objects]);
  const places = { files: workspace.files, receiver: receiver.ready.url, s3: s3.ready };
  await writeFile(workspace.jobsFile, JSON.stringify(pushJobs(options.customers, places), undefined, 2));
  interrupted.throwIfAborted();
  await using spillway = await SpillwayProcess.start(workspace);
  progress.say(`Spillway is ready at ${spillway.url} as process ${spillway.pid}, with ${options.customers} push jobs.`);

  const flow = await flood(options, source, spillway, progress, interrupted);
  const { findings, posts, readings } = await check(options, source, workspace, places, progress);
  const books = (await readBooks(spillway.url)) ?? flow.books;
  if (books === undefined) throw new Error("Spillway does not answer with its books");
  const evidence: Evidence = { ...flow, ...source, books, findings, readings, posts };
  progress.say(checkReport(evidence));
  progress.say(booksTable(books, kindOfCustomerName));
  progress.say(nextSteps(workspace));
  return { result: resultOf(evidence), good: problemsOf(evidence).length === 0 };
};

/** Sends everything, kills now and then, and waits until all is delivered. */
const flood = async (
  options: DemoOptions,
  source: Source,
  spillway: SpillwayProcess,
  progress: Progress,
  interrupted: AbortSignal,
) => {
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupted, failed.signal]);
  keepRunning(spillway, progress, (error) => failed.abort(error));
  const counts: SendCounts = { sent: 0, accepted: 0, refused: 0, unconfigured: 0, repeated: 0 };
  const cpu = new CpuMeter();
  cpu.read(spillway.pid, true);
  const startedMillis = performance.now();
  let sent = false;
  const kills = [...killPoints(options.kills, source.records, options.seed)];
  const contentOf: Source["contentOf"] = (body) => {
    if (counts.accepted >= (kills[0] ?? Infinity)) {
      progress.say(`kill -9 ${spillway.pid}, after ${number(counts.accepted)} acknowledged records.`);
      kills.shift();
      cpu.read(spillway.pid);
      spillway.kill();
    }
    const content = source.contentOf(body);
    source.expectation.expect(body.customer, body.first, content);
    return content;
  };
  const watching = watchDeliveries({
    spillway,
    counts,
    total: source.records,
    startedMillis,
    progress,
    cpu,
    isSent: () => sent,
    signal,
  });
  const send = async () => {
    await sendBodies({ url: spillway.url, bodies: source.bodies, contentOf, signal }, counts);
    sent = true;
    const seconds = (performance.now() - startedMillis) / 1_000;
    progress.say(`All is sent: ${number(counts.sent)} records in ${seconds.toFixed(1)} s.`);
  };
  const sending = send();
  sending.catch((error: unknown) => failed.abort(error));
  const [books] = await Promise.all([watching, sending]).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
  return { counts, books, seconds: (performance.now() - startedMillis) / 1_000, cpuSeconds: cpu.seconds() };
};

/** Reads everything back, with nothing of Spillway's own code. */
const check = async (
  options: DemoOptions,
  source: Source,
  workspace: Workspace,
  places: Places,
  progress: Progress,
) => {
  progress.say("Now the check: every record, read back from where it was delivered.");
  const posts: PostCounts = { repeated: 0, conflicting: 0 };
  const readers: Record<DestinationKind, ReadBatches> = {
    file: readFiles(workspace.files),
    http: readPosts(workspace.posts, posts),
    s3: readObjects(places.s3),
  };
  const customers = Array.from({ length: options.customers }, (_, customer) => ({
    customer,
    name: customerName(customer),
    read: readers[kindOf(customer)],
  }));
  const readings = await checkDeliveries({ customers, expectation: source.expectation });
  return { findings: source.expectation.findings(), posts, readings };
};
