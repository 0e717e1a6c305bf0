import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { beforeAll } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";
import { type ChromiumPage, findChromium, openChromium } from "../support/chromium.ts";
import { startOneJobNode } from "../support/one-job-node.ts";
import { eventually, framesOfType, watch } from "../support/watched-world.ts";

const token = "of-this-test/+=";
const launcher = fileURLToPath(new URL("../../bin/spillway", import.meta.url));
const chromium = await findChromium();

beforeAll(() => {
  // The node takes its token from the environment; this process runs nothing but this file.
  process.env["SPILLWAY_TOKEN"] = token;
});

/** A destination that answers as it is told. */
const receiver = Effect.gen(function* () {
  const state = { status: 200 };
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(state.status).end());
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => server.close().closeAllConnections()),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?key=hunter2`, state };
});

const run = (url: string, args: ReadonlyArray<string>, more: Parameters<typeof runSpillway>[1] = {}) =>
  runSpillway(args, { ...more, env: { SPILLWAY_URL: url, SPILLWAY_TOKEN: token } });

/** A command that goes on until it is told to end. */
const startCommand = (url: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const env = { ...process.env, SPILLWAY_URL: url, SPILLWAY_TOKEN: token };
      const child = spawn(launcher, [...args], { env, stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => (output += text));
      }
      const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
      return { child, exited, output: () => output };
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL")),
  );

const send = Effect.fnUntraced(function* (url: string) {
  const args = ["send", "-", "--dataset", "http_requests", "--customer", "acme"];
  const sent = yield* run(url, args, { stdin: '{"secret":"of a record"}\n' });
  assert.strictEqual(sent.code, 0, sent.stderr);
});

/** Polls the page, for at most twenty seconds. */
const shown = Effect.fnUntraced(function* (page: ChromiumPage, expression: string) {
  for (let turn = 0; turn < 400; turn++) {
    if (yield* page.evaluate<boolean>(expression)) return;
    yield* Effect.sleep(50);
  }
  const text = yield* page.evaluate<string>("document.body.innerText.slice(0, 2000)");
  return yield* Effect.die(new Error(`never true in the page: ${expression}\n${text}`));
});

const isActive = (state: string) => `document.querySelector('[data-state="${state}"]').classList.contains("active")`;

const keep = (name: string, png: Buffer) =>
  Effect.sync(() => {
    mkdirSync("test-artifacts", { recursive: true });
    writeFileSync(`test-artifacts/${name}`, png);
  });

describe("a buffer of a running node", () => {
  it.live.skipIf(chromium === undefined)("is drawn by its page, which follows it from state to state", () =>
    Effect.gen(function* () {
      const sink = yield* receiver;
      sink.state.status = 503;
      const { url } = yield* startOneJobNode(sink.url, { maxIntervalSeconds: 1 });
      const page = yield* openChromium(chromium!);
      yield* page.goto(`${url}/inspect/acme-http`);
      yield* shown(page, `document.getElementById("token-form")?.hidden === false`);
      yield* page.type("wrong");
      yield* page.press("Enter", 13);
      yield* shown(page, `document.getElementById("connection").textContent.includes("refused")`);
      yield* page.type(token);
      yield* page.press("Enter", 13);
      yield* shown(page, `document.getElementById("connection").textContent === "Live"`);
      yield* send(url);
      yield* shown(page, isActive("buffer.delivery.backingOff"));
      yield* shown(page, `!(${isActive("buffer.delivery.idle")}) && ${isActive("buffer.flow.live")}`);
      yield* shown(page, `document.getElementById("delivery").textContent === "backingOff"`);
      yield* shown(page, `document.getElementById("figures").innerText.includes("503")`);
      yield* keep("inspect-backing-off.png", yield* page.screenshot);
      yield* page.colourScheme("dark");
      yield* keep("inspect-dark.png", yield* page.screenshot);
      sink.state.status = 200;
      yield* shown(page, isActive("buffer.delivery.idle"));
      yield* shown(page, `!(${isActive("buffer.delivery.backingOff")})`);
      yield* shown(page, `document.getElementById("log").innerText.includes("push.answered")`);
      // A second watcher: what was before it came is told too.
      yield* page.goto(`${url}/inspect/acme-http`);
      yield* shown(page, `(document.getElementById("log")?.innerText ?? "").includes("before")`);
      const text = yield* page.evaluate<string>("document.documentElement.outerHTML");
      assert.notMatch(text, /hunter2|of a record/);
      assert.deepStrictEqual(page.complaints, []);
    }),
  );

  it.live("is watched with `spillway inspect`, from before it began to after Ctrl-C", () =>
    Effect.gen(function* () {
      const sink = yield* receiver;
      const { url } = yield* startOneJobNode(sink.url, { maxIntervalSeconds: 1 });
      const { frames } = yield* watch(url, "acme-http", { headers: { authorization: `Bearer ${token}` } });
      yield* send(url);
      const idle = (count: number) => () =>
        framesOfType(frames, "@spillway.figures").some(({ figures }) => figures.books["delivered"]!.records === count);
      yield* eventually("a delivery", idle(1));
      const { child, exited, output } = yield* startCommand(url, ["inspect", "acme-http"]);
      yield* eventually("what is now", () => output().includes("(now)"));
      yield* send(url);
      yield* eventually("a second delivery", () => /\(now\)[^]*pushing → idle/.test(output()));
      child.kill("SIGINT");
      assert.strictEqual(yield* Effect.promise(() => exited), 0, output());
      const stdout = output();
      assert.match(stdout, /^\d\d:\d\d:\d\d\.\d{3} {2}push\.answered .*→ idle/m);
      assert.match(stdout, /\(now\) +flow live, delivery idle/);
      const after = stdout.slice(stdout.indexOf("(now)"));
      assert.match(after, /batch\.closed +delivery (?:filling|idle) → pushing {2}batch \d+–\d+, 1 records, attempt 1/);
      assert.match(after, /push\.answered +delivery pushing → idle/);

      const unknown = yield* run(url, ["inspect", "nobody"]);
      assert.strictEqual(unknown.code, 1);
      assert.match(unknown.stderr, /there is no push job nobody on this node/);
      const refused = yield* runSpillway(["inspect", "acme-http"], { env: { SPILLWAY_URL: url } });
      assert.strictEqual(refused.code, 1);
      assert.match(refused.stderr, /asks for a token: set SPILLWAY_TOKEN/);
    }),
  );
});
