import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import { readBooks, readTotals } from "../../demo/books.ts";
import { runSpillway } from "../cli/run-spillway.ts";
import { freePort, killHard, startSpillway } from "../support/spillway-process.ts";
import { removeTree } from "../support/remove-tree.ts";

const count = 1_250;
const idOf = (i: number) => `job-${String(i).padStart(5, "0")}`;
const customerOf = (i: number) => `customer-${i}`;

/** A node with more push jobs than a page has. */
const node = Effect.gen(function* () {
  const data = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-pages-"))),
    (folder) => Effect.promise(() => removeTree(folder)),
  );
  const file = join(data, "jobs.json");
  const jobs = Array.from({ length: count }, (_, i) => jobOf(data, idOf(i), customerOf(i)));
  yield* Effect.promise(() => writeFile(file, JSON.stringify({ jobs })));
  const port = yield* Effect.promise(freePort);
  const running = yield* Effect.acquireRelease(
    Effect.promise(() => startSpillway({ data, jobs: file, port, nats: inject("natsServer") })),
    ({ child, exited, natsPid }) =>
      Effect.promise(async () => {
        const nats = natsPid();
        killHard(child.pid!);
        await exited;
        killHard(nats);
      }),
  );
  return { ...running, data };
});

const jobOf = (data: string, id: string, customer: string) => ({
  id,
  customer,
  dataset: "http_requests",
  batch: { maxIntervalSeconds: 1 },
  destination: { kind: "file", path: join(data, "out", customer) },
});

interface Page {
  readonly jobs: ReadonlyArray<any>;
  readonly next?: string;
  readonly totals?: { readonly books: { readonly accepted: { readonly records: number } } };
}

const get = async (url: string): Promise<Page> => {
  const response = await fetch(url);
  assert.strictEqual(response.status, 200, url);
  return (await response.json()) as Page;
};

const send = async (url: string, customer: string) => {
  const response = await fetch(`${url}/v1/ingest/http_requests`, {
    method: "POST",
    headers: { "Spillway-Customer": customer },
    body: '{"n":1}\n',
  });
  assert.strictEqual(response.status, 200, await response.text());
};

const delivered = async (url: string, records: number) => {
  const deadline = performance.now() + 30_000;
  while ((await readTotals(url))?.books.delivered.records !== records) {
    if (performance.now() > deadline) throw new Error("not delivered in 30 s");
    await sleep(50);
  }
};

describe("a node with more push jobs than a page has", () => {
  it.live("lists them in pages while jobs come and go, and its books with the totals of all in each page", () =>
    Effect.gen(function* () {
      const { controlUrl, data, url } = yield* node;
      const write = async (method: string, id: string, body?: object) => {
        const response = await fetch(`${url}/v1/jobs/${id}`, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        assert.isBelow(response.status, 300, await response.text());
      };
      const all = Array.from({ length: count }, (_, i) => idOf(i));

      yield* Effect.promise(async () => {
        const first = await get(`${url}/v1/jobs`);
        assert.lengthOf(first.jobs, 1_000);
        const seen = first.jobs.map(({ job }) => job.id as string);
        await write("DELETE", idOf(3));
        await write("DELETE", idOf(1_100));
        await write("PUT", "job-00004-late", jobOf(data, "job-00004-late", "late"));
        await write("PUT", "job-01200-late", jobOf(data, "job-01200-late", "later"));
        for (let next = first.next; next !== undefined;) {
          const page = await get(`${controlUrl}/v1/jobs?limit=100&after=${next}`);
          assert.isAtMost(page.jobs.length, 100);
          seen.push(...page.jobs.map(({ job }) => job.id as string));
          next = page.next;
        }
        const throughout = all.filter((id) => id !== idOf(3) && id !== idOf(1_100));
        assert.deepStrictEqual(
          seen.filter((id) => throughout.includes(id)),
          throughout,
        );
        assert.deepStrictEqual(
          seen.filter((id) => !throughout.includes(id)),
          [idOf(3), "job-01200-late"],
        );
      });

      const active = [0, 500, 1_249];
      yield* Effect.promise(() => Promise.all(active.map((i) => send(url, customerOf(i)))));
      yield* Effect.promise(async () => {
        await delivered(url, active.length);
        const page = await get(`${url}/v1/books?limit=2&after=${idOf(499)}`);
        assert.deepStrictEqual(
          page.jobs.map(({ job, books }) => [job, books.accepted.records]),
          [
            [idOf(500), 1],
            [idOf(501), 0],
          ],
        );
        assert.strictEqual(page.next, idOf(501));
        assert.strictEqual(page.totals?.books.accepted.records, active.length, "the totals are of all");
        const books = await readBooks(url);
        assert.lengthOf(books?.jobs ?? [], count, "two have gone, two have come");
        assert.strictEqual(
          books?.jobs.reduce((sum, job) => sum + job.books.accepted.records, 0),
          active.length,
        );
        const bad = await fetch(`${controlUrl}/v1/books?after=no.cursor`);
        assert.strictEqual(bad.status, 400);
        assert.include(await bad.text(), "must be the next of another page");
      });
      const listed = yield* runSpillway(["jobs", "list", "--url", url, "--json"]);
      assert.lengthOf(JSON.parse(listed.stdout).jobs, count);
    }).pipe(Effect.scoped),
  );
});
