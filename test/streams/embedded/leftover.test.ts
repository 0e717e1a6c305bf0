import { assert, describe, it } from "@effect/vitest";
import { judge } from "../../../src/streams/embedded/leftover.ts";
import type { Sighting } from "../../../src/streams/embedded/process-identity.ts";
import type { ServerRecord } from "../../../src/streams/embedded/server-record.ts";

const record: ServerRecord = {
  format: 1,
  pid: 4_711,
  startTime: "boot/100",
  binary: "/bin/nats-server",
  configurationFile: "/data/nats/nats-server.conf",
  storeDirectory: "/data/nats/store",
  port: 20_000,
};
const alive = (startTime: string | undefined, command: string | undefined): Sighting => ({
  _tag: "Alive",
  startTime,
  command,
});
const ours = alive("boot/100", "/bin/nats-server -c /data/nats/nats-server.conf");
const gone: Sighting = { _tag: "Gone" };
const free = true;
const held = false;

describe("what to do about an earlier run's nats-server", () => {
  it.each([
    ["nothing on record, lock free", free, undefined, gone, { _tag: "Clear" }],
    ["recorded one gone, lock free", free, record, gone, { _tag: "Clear" }],
    ["its id belongs to a later process, lock free", free, record, alive("boot/101", "vim"), { _tag: "Clear" }],
    ["another boot", free, record, alive("other/100", "/bin/nats-server"), { _tag: "Clear" }],
    ["ours, holding the lock", held, record, ours, { _tag: "End", pid: 4_711 }],
    ["ours, though the lock is free (its file was removed)", free, record, ours, { _tag: "End", pid: 4_711 }],
    ["somebody holds the lock, nothing on record", held, undefined, gone, { _tag: "Refuse", pid: undefined }],
    ["somebody holds the lock, recorded one gone", held, record, gone, { _tag: "Refuse", pid: undefined }],
    ["somebody holds the lock, id reused", held, record, alive("boot/101", "vim"), { _tag: "Refuse", pid: undefined }],
    ["same birth, another command", free, record, alive("boot/100", "vim"), { _tag: "Refuse", pid: 4_711 }],
    ["same birth, command hidden", held, record, alive("boot/100", undefined), { _tag: "Refuse", pid: 4_711 }],
    ["birth hidden", free, record, alive(undefined, undefined), { _tag: "Refuse", pid: 4_711 }],
    [
      "birth hidden, command ours",
      held,
      record,
      alive(undefined, "x -c /data/nats/nats-server.conf"),
      { _tag: "Refuse", pid: 4_711 },
    ],
  ] as const)("%s", (_, lockIsFree, onRecord, sighting, expected) => {
    assert.deepStrictEqual(judge(lockIsFree, onRecord, sighting), expected);
  });
});
