import { spawn } from "node:child_process";
import { once } from "node:events";
import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { parseStat, sight } from "../../../src/streams/embedded/process-identity.ts";

it("reads a stat line whose program has spaces and brackets in its name", () => {
  const rest = ["S", "1", ...Array.from({ length: 17 }, (_, index) => `f${index}`), "378094", "0"].join(" ");
  assert.deepStrictEqual(parseStat(`12 (a) b) (c) ${rest}`), { state: "S", startTicks: "378094" });
});

it.live("sees this process, the same at every look", () =>
  Effect.gen(function* () {
    const [first, second] = [yield* sight(process.pid), yield* sight(process.pid)];
    assert.deepStrictEqual(first, second);
    assert(first._tag === "Alive");
    assert.match(first.startTime ?? "", /\d/);
    assert.include(first.command ?? "", "node");
  }),
);

it.live("tells two processes apart, and one that has ended", () =>
  Effect.gen(function* () {
    const child = spawn("sleep", ["30"]);
    const pid = child.pid ?? 0;
    const [mine, its] = [yield* sight(process.pid), yield* sight(pid)];
    child.kill("SIGKILL");
    yield* Effect.promise(() => once(child, "exit"));
    assert(mine._tag === "Alive" && its._tag === "Alive");
    assert.notStrictEqual(mine.startTime, its.startTime);
    assert.include(its.command ?? "", "sleep 30");
    assert.deepStrictEqual(yield* sight(pid), { _tag: "Gone" });
  }),
);
