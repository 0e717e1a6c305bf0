import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BufferPage, bufferStates } from "../../src/api/buffer-reports.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import { buildData } from "./built-data.ts";
import { percentile } from "./percentile.ts";
import { Sink } from "./sink.ts";
import { jobOf } from "./workload.ts";

export interface BufferPages {
  /** Of `GET /v1/buffers?state=…`, from the question to the last byte of the answer. */
  readonly buffersPageP99Ms: number;
  readonly buffersPageMostMs: number;
  readonly pages: number;
  /** In the view. */
  readonly buffers: number;
}

export interface BufferPagesOptions {
  readonly buffers: number;
  readonly signal: AbortSignal;
}

/** States that few buffers are in, or none: to find them, all have to be looked at. */
const rareStates: ReadonlyArray<(typeof bufferStates)[number]> = [
  "quarantined",
  "suspended",
  "overloaded",
  "waiting",
  "disabled",
];
const pagesOfRareStates = 20;
const answerMillisMax = 30_000;

/**
 * Reads pages of the buffers of a node by state, at the address where operators ask: those that nearly all are in from
 * the first page to the last, and those that none are in, again and again. No page is left out, the first neither.
 */
export const measureBufferPages = async ({ buffers, signal }: BufferPagesOptions): Promise<BufferPages> => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-density-pages-"));
  try {
    await using sink = await Sink.start();
    await buildData(join(directory, "data"), buffers, sink.url, signal);
    const jobsFile = join(directory, "jobs.json");
    await writeFile(jobsFile, JSON.stringify({ jobs: [jobOf(0, sink.url)] }));
    await using spillway = await SpillwayProcess.start({ directory, jobsFile });
    const took: Array<number> = [];
    const page = async (query: Readonly<Record<string, string>>): Promise<BufferPage> => {
      signal.throwIfAborted();
      const began = performance.now();
      const answer = await readPage(spillway.controlUrl, query);
      took.push(performance.now() - began);
      return answer;
    };
    const seen = new Set<string>();
    for (let after: string | undefined = ""; after !== undefined;) {
      const found: BufferPage = await page({ state: "hibernated", ...(after === "" ? {} : { after }) });
      for (const { job } of found.buffers) seen.add(job);
      after = found.next;
    }
    if (seen.size !== buffers) throw new Error(`The pages have ${seen.size} of ${buffers} buffers`);
    for (let round = 0; round < pagesOfRareStates; round++) {
      for (const state of rareStates) {
        const found = await page({ state });
        if (found.buffers.length > 0) throw new Error(`${found.buffers.length} buffers are ${state}`);
      }
    }
    return {
      buffersPageP99Ms: Number(percentile(took, 0.99).toFixed(1)),
      buffersPageMostMs: Number(Math.max(...took).toFixed(1)),
      pages: took.length,
      buffers,
    };
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

const readPage = async (url: string, query: Readonly<Record<string, string>>): Promise<BufferPage> => {
  const response = await fetch(`${url}/v1/buffers?${new URLSearchParams(query).toString()}`, {
    // What was known before is no answer here.
    headers: { "cache-control": "no-cache" },
    signal: AbortSignal.timeout(answerMillisMax),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`A page of buffers was not answered: ${response.status} ${text}`);
  return JSON.parse(text) as BufferPage;
};
