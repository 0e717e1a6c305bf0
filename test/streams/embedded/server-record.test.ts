import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { readRecord, removeRecord, writeRecord } from "../../../src/streams/embedded/server-record.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const record = {
  format: 1,
  pid: 4_711,
  startTime: "boot/1",
  binary: "/b",
  configurationFile: "/c",
  storeDirectory: "/s",
  port: 20_000,
} as const;

it("reads what it wrote, leaves nothing else behind, and takes what it cannot read for none", async () => {
  await using directory = await makeTemporaryDirectory();
  const path = join(directory.path, "nats-server.json");
  assert.isUndefined(await Effect.runPromise(readRecord(path)));
  await Effect.runPromise(writeRecord(path, record));
  await Effect.runPromise(writeRecord(path, { ...record, pid: 4_712 }));
  assert.deepStrictEqual(await Effect.runPromise(readRecord(path)), { ...record, pid: 4_712 });
  assert.deepStrictEqual(await readdir(directory.path), ["nats-server.json"]);
  for (const text of [
    "",
    "{",
    "null",
    JSON.stringify({ ...record, pid: 0 }),
    JSON.stringify({ ...record, format: 2 }),
  ]) {
    await writeFile(path, text);
    assert.isUndefined(await Effect.runPromise(readRecord(path)), text);
  }
  await Effect.runPromise(removeRecord(path));
  await Effect.runPromise(removeRecord(path));
  assert.deepStrictEqual(await readdir(directory.path), []);
});
