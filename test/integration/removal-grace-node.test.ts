import { assert, describe, inject, it } from "vitest";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type SpillwayProcess, startSpillway } from "../support/spillway-process.ts";
import { removeTree } from "../support/remove-tree.ts";

const json = (value: unknown) => JSON.stringify(value);

/** Two jobs, so that the removal of one does not leave nothing. */
const world = async () => {
  const data = await mkdtemp(join(tmpdir(), "spillway-grace-"));
  const jobs = join(data, "jobs.json");
  const settings = join(data, "spillway.json");
  await writeFile(jobs, json([{ ...jobOf("other", data), customer: "other" }]));
  await writeFile(settings, json({ limits: { removalGraceSeconds: 600 } }));
  const port = await freePort();
  const start = () =>
    startSpillway({
      data: join(data, "node"),
      jobs,
      port,
      nats: inject("natsServer"),
      flags: ["--config", settings],
    });
  return { data, start, [Symbol.asyncDispose]: () => removeTree(data) };
};

const jobOf = (id: string, data: string) => ({
  id,
  customer: "acme",
  dataset: "app_log",
  destination: { kind: "file", path: join(data, "out", id) },
  batch: { maxIntervalSeconds: 1 },
});

const put = async ({ url }: SpillwayProcess, job: { readonly id: string }) => {
  const answer = await fetch(`${url}/v1/jobs/${job.id}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: json(job),
  });
  assert.isTrue(answer.ok, await answer.text());
};

const send = async ({ url }: SpillwayProcess, from: number, count: number) => {
  const body = Array.from({ length: count }, (_, i) => `{"n":${from + i}}\n`).join("");
  const answer = await fetch(`${url}/v1/ingest/app_log`, {
    method: "POST",
    headers: { "spillway-customer": "acme" },
    body,
  });
  return (await answer.json()) as { readonly accepted: number; readonly unconfigured: number };
};

const booksOf = async ({ url }: SpillwayProcess, job: string) => {
  const { jobs } = (await (await fetch(`${url}/v1/books`)).json()) as {
    readonly jobs: ReadonlyArray<{
      readonly job: string;
      readonly books: Record<"accepted" | "delivered" | "shed", { readonly records: number }>;
    }>;
  };
  return jobs.find((each) => each.job === job)?.books;
};

const bufferOf = async ({ url }: SpillwayProcess, job: string) =>
  (await (await fetch(`${url}/v1/buffers/${job}`)).json()) as { readonly enabled: boolean };

const until = async (what: string, isSo: () => Promise<boolean>) => {
  const deadline = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(`not in 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

describe("a job that was removed", () => {
  it("has its grace: records go on being stored, and who brings it back has lost nothing, restarts included", async () => {
    await using each = await world();
    let spillway = await each.start();
    try {
      const job = jobOf("a", each.data);
      await put(spillway, job);
      assert.deepInclude(await send(spillway, 0, 10), { accepted: 10, unconfigured: 0 });
      await until("delivered", async () => (await booksOf(spillway, "a"))?.delivered.records === 10);
      await fetch(`${spillway.url}/v1/jobs/a`, { method: "DELETE" });
      await until("it is gone", async () => (await fetch(`${spillway.url}/v1/jobs/a`)).status === 404);
      assert.deepInclude(await send(spillway, 10, 5), { accepted: 5, unconfigured: 0 });
      spillway.child.kill("SIGKILL");
      await spillway.exited;
      spillway = await each.start();
      assert.deepInclude(await send(spillway, 15, 7), { accepted: 7, unconfigured: 0 });
      assert.strictEqual((await fetch(`${spillway.url}/v1/jobs/a`)).status, 404);
      await put(spillway, job);
      await until("everything is delivered", async () => (await booksOf(spillway, "a"))?.delivered.records === 22);
      assert.strictEqual((await booksOf(spillway, "a"))?.shed.records, 0);
    } finally {
      spillway.child.kill("SIGKILL");
      await spillway.exited;
    }
  }, 60_000);

  it("has it too when its addition is rolled back, restarts included", async () => {
    await using each = await world();
    let spillway = await each.start();
    try {
      const { url } = spillway;
      await put(spillway, jobOf("a", each.data));
      assert.deepInclude(await send(spillway, 0, 10), { accepted: 10, unconfigured: 0 });
      const answer = await fetch(`${url}/v1/config/rollback`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: json({}),
      });
      assert.isTrue(answer.ok, await answer.text());
      await until("it is rolled back", async () => {
        const status = (await (await fetch(`${url}/v1/config/status`)).json()) as { readonly last: object | null };
        return status.last !== null && "rollbackOf" in status.last && status.last.rollbackOf !== null;
      });
      assert.deepInclude(await send(spillway, 10, 5), { accepted: 5, unconfigured: 0 });
      const delivered = async () => (await booksOf(spillway, "a"))?.delivered.records;
      await until("nothing is delivered in its grace", async () => !(await bufferOf(spillway, "a")).enabled);
      spillway.child.kill("SIGKILL");
      await spillway.exited;
      spillway = await each.start();
      assert.deepInclude(await send(spillway, 15, 7), { accepted: 7, unconfigured: 0 });
      // It is there when the job comes again, as it was in its grace.
      await until("its buffer has them all", async () => (await booksOf(spillway, "a"))?.accepted.records === 22);
      assert.isAtMost((await delivered()) ?? 0, 15);
      // Nobody leads until the lease of the process that was killed has run out.
      await until(
        "the ice is broken",
        async () => (await fetch(`${spillway.url}/v1/config/unfreeze`, { method: "POST" })).ok,
      );
      await until("everything is delivered", async () => (await delivered()) === 22);
      assert.strictEqual((await booksOf(spillway, "a"))?.shed.records, 0);
    } finally {
      spillway.child.kill("SIGKILL");
      await spillway.exited;
    }
  }, 60_000);
});
