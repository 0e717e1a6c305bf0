import { assert, inject, it } from "vitest";
import { mkdtemp, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, until } from "../control-thread/blocked-world.ts";
import { freePort, killHard, natsPidsOf, startSpillway } from "../support/spillway-process.ts";
import { removeTree } from "../support/remove-tree.ts";

/** A destination that refuses the job until it is told otherwise, and the operators' webhook beside it. */
const receiver = async () => {
  const world = { status: 401, posted: [] as Array<any>, url: "", close: () => void server.close() };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString("latin1")));
    request.on("end", () => {
      if (request.url === "/hook") world.posted.push(JSON.parse(text));
      response.writeHead(request.url === "/hook" ? 204 : world.status).end();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  world.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return world;
};

it("a node tells its operators that a destination refuses a job: webhook, API, metrics and log", async () => {
  const root = await mkdtemp(join(tmpdir(), "spillway-alerts-"));
  const data = join(root, "data");
  const jobs = join(root, "jobs.json");
  const world = await receiver();
  const destination = { kind: "http", url: `${world.url}/logs` };
  await writeFile(
    jobs,
    JSON.stringify([{ id: "ash", customer: "ash", dataset: "d", destination, batch: { maxIntervalSeconds: 1 } }]),
  );
  const where = { data, jobs, port: await freePort(), nats: inject("natsServer") };
  const spillway = await startSpillway({ ...where, env: { SPILLWAY_ALERT_WEBHOOK_URL: `${world.url}/hook` } });
  try {
    const sent = await ask(`${spillway.url}/v1/ingest/d`, {
      method: "POST",
      headers: { "spillway-customer": "ash" },
      body: `${JSON.stringify({ line: 1 })}\n`,
    });
    assert.strictEqual(sent.status, 200, sent.text);
    await until(
      () => Promise.resolve(world.posted),
      (posted) => posted.some(({ rule }) => rule === "jobSuspended"),
      60_000,
    );
    const posted = world.posted.filter(({ rule }) => rule === "jobSuspended");
    assert.lengthOf(posted, 1);
    assert.deepInclude(posted[0], { news: "firing", severity: "warning", labels: { job: "ash", customer: "ash" } });
    const { alerts } = JSON.parse((await ask(`${spillway.controlUrl}/v1/alerts`)).text);
    const shown = alerts.find((each: { readonly rule: string }) => each.rule === "jobSuspended");
    assert.deepInclude(shown, { state: "firing", dedupKey: posted[0].dedupKey });
    const { text } = await ask(`${spillway.controlUrl}/metrics`);
    assert.match(text, /^spillway_alert_signal\{[^}]*signal="jobSuspended"[^}]*\} 1$/m);
    assert.match(text, /^spillway_records_written_off_total\{[^}]*reason="shed"[^}]*\} 0$/m);
    for (const metric of ["spillway_alert_evaluations_total", "spillway_admission_state"]) assert.include(text, metric);
    assert.match(text, /^spillway_log_records_missing_total\S* 0$/m);
    assert.include(spillway.output(), "Alert firing: A push job is suspended.");
    assert.notInclude(spillway.output(), "/hook");
  } finally {
    if (spillway.child.exitCode === null) killHard(spillway.child.pid!);
    await spillway.exited;
    await until(
      () => Promise.resolve(natsPidsOf(data)),
      (pids) => pids.length === 0,
    );
    world.close();
    await removeTree(root);
  }
});
