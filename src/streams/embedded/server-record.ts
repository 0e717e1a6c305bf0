import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Effect, Option, Schema } from "effect";
import { attemptFile } from "./embedded-server-error.ts";

/** The nats-server that was started on a store last: enough to find it again, and to tell it from anything else. */
export const ServerRecord = Schema.Struct({
  format: Schema.Literal(1),
  pid: Schema.Int.check(Schema.isGreaterThan(1)),
  startTime: Schema.String,
  binary: Schema.String,
  configurationFile: Schema.String,
  storeDirectory: Schema.String,
  port: Schema.Int,
});
export type ServerRecord = typeof ServerRecord.Type;

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(ServerRecord));

/** The record, or undefined when there is none or it cannot be understood. */
export const readRecord = (path: string): Effect.Effect<ServerRecord | undefined> =>
  Effect.promise(() => readFile(path, "utf8").catch(() => "")).pipe(
    Effect.map((text) => Option.getOrUndefined(decode(text))),
  );

/** On the disk, whole, when this returns: after a power cut there is the old record or the new one. */
export const writeRecord = (path: string, record: ServerRecord) =>
  attemptFile(`write ${path}`, async () => {
    const temporary = `${path}.new`;
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(record, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await using directory = await open(dirname(path), "r");
    await directory.sync();
  });

/** After a clean stop, so that the next start has nothing to look for. */
export const removeRecord = (path: string): Effect.Effect<void> =>
  Effect.promise(() => rm(path, { force: true }).catch(() => undefined));
