import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert, it } from "@effect/vitest";
import { Effect, Result } from "effect";
import { afterEach, beforeEach, vi } from "vitest";
import { resolveNatsServer } from "../../../src/streams/embedded/binary.ts";
import { makeTemporaryDirectory, type TemporaryDirectory } from "./temporary-directory.ts";

let directory: TemporaryDirectory;

/** A program that only tells its version. */
const fake = async (name: string, version: string): Promise<string> => {
  const folder = join(directory.path, name);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "nats-server");
  await writeFile(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
  await chmod(path, 0o755);
  return path;
};
const resolve = () => Effect.runPromise(Effect.result(resolveNatsServer));
const problem = async () => {
  const result = await resolve();
  assert(Result.isFailure(result));
  assert.strictEqual(result.failure.reason, "binary");
  return result.failure.message;
};

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  // Nothing of this machine's: no cache, no fetching, no nats-server on the way to bash.
  vi.stubEnv("NATS_SERVER", "");
  vi.stubEnv("NATS_CACHE", join(directory.path, "cache"));
  vi.stubEnv("NATS_SOURCES", "none");
  vi.stubEnv("NATS_ALSO", "");
  vi.stubEnv("PATH", "/usr/bin:/bin");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await directory[Symbol.asyncDispose]();
});

it("says plainly that the nats-server on PATH is too old, and what to do", async () => {
  const old = await fake("old", "2.9.10");
  vi.stubEnv("PATH", `${join(directory.path, "old")}:/usr/bin:/bin`);
  const message = await problem();
  assert.include(message, `${old} is version 2.9.10, too old: 2.14.0 or later is needed`);
  assert.include(message, "set NATS_SERVER=");
});

it("passes over an old one on PATH for a later one, by number and not by spelling", async () => {
  await fake("old", "2.9.10");
  const recent = await fake("recent", "2.100.0");
  vi.stubEnv("PATH", ["old", "recent"].map((name) => join(directory.path, name)).join(":") + ":/usr/bin:/bin");
  assert.deepStrictEqual(await resolve(), Result.succeed(recent));
});

it("takes NATS_SERVER before PATH, and never something else when that is wrong", async () => {
  const chosen = await fake("chosen", "2.15.1");
  await fake("on-path", "2.16.0");
  vi.stubEnv("PATH", `${join(directory.path, "on-path")}:/usr/bin:/bin`);
  vi.stubEnv("NATS_SERVER", chosen);
  assert.deepStrictEqual(await resolve(), Result.succeed(chosen));
  vi.stubEnv("NATS_SERVER", join(directory.path, "missing"));
  assert.match(await problem(), /missing does not exist or cannot be run/);
  vi.stubEnv("NATS_SERVER", await fake("old", "2.13.9"));
  assert.match(await problem(), /version 2\.13\.9, too old/);
});

/** A release of a version without a pinned sum, in a folder in place of a web site. */
const publish = async (version: string): Promise<string> => {
  const [system, cpu] = [process.platform, process.arch === "x64" ? "amd64" : "arm64"];
  const name = `nats-server-v${version}-${system}-${cpu}`;
  const binary = await fake(`build/${name}`, version);
  const release = join(directory.path, "releases", `v${version}`);
  await mkdir(release, { recursive: true });
  const archive = join(release, `${name}.tar.gz`);
  execFileSync("tar", ["-czf", archive, "-C", join(directory.path, "build"), name]);
  const sum = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex");
  await writeFile(join(release, "SHA256SUMS"), `${sum}  ${name}.tar.gz\n`);
  vi.stubEnv("NATS_RELEASE_BASE", `file://${encodeURI(join(directory.path, "releases"))}`);
  vi.stubEnv("NATS_SOURCES", "release");
  vi.stubEnv("NATS_VERSION", version);
  return binary.length > 0 ? archive : "";
};

it("fetches a release, checks its sum, and keeps it", async () => {
  await publish("2.14.77");
  const kept = join(directory.path, "cache", "nats-server-2.14.77");
  assert.deepStrictEqual(await resolve(), Result.succeed(kept));
  vi.stubEnv("NATS_SOURCES", "none");
  assert.deepStrictEqual(await resolve(), Result.succeed(kept));
});

it("does not use a download whose sum differs", async () => {
  const archive = await publish("2.14.77");
  await writeFile(archive, Buffer.concat([await readFile(archive), Buffer.from("x")]));
  assert.match(await problem(), /sha256 .* expected .*: not used/);
});

it("gives one clear line when the release cannot be had", async () => {
  await publish("2.14.77");
  vi.stubEnv("NATS_VERSION", "2.14.78");
  const message = await problem();
  assert.match(message, /the release 2\.14\.78 cannot be had from file:/);
  assert.strictEqual(message.match(/curl:/g)?.length, 1);
});
