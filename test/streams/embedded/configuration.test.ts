import { readFile } from "node:fs/promises";
import { assert, it } from "@effect/vitest";
import { render } from "../../../src/streams/embedded/configuration.ts";

it("writes numbers plainly and strings quoted", () => {
  assert.strictEqual(render("a: {{a}}\nb: {{b}}", { a: 12, b: 'x "y" \\z' }), 'a: 12\nb: "x \\"y\\" \\\\z"');
});

it("refuses a word that has no value", () => {
  assert.throws(() => render("{{unknown}}", { known: 1 }), /unknown/);
});

it("syncs always, listens on loopback alone, and bounds messages, store and log", async () => {
  const template = await readFile(new URL("../../../config/nats/jetstream.conf", import.meta.url), "utf8");
  for (const setting of [
    "sync_interval: always",
    "host: 127.0.0.1",
    "max_payload: {{messageBytesMax}}",
    "max_file_store: {{fileStoreBytesMax}}",
    "max_memory_store:",
    "logfile_size_limit:",
    "logfile_max_num:",
  ])
    assert.include(template, setting);
  assert.notMatch(template, /^\s*(http|https|monitor_port|cluster|leafnodes|websocket)\b/m);
});
