import { assert, describe, it } from "@effect/vitest";
import { Cause, Effect, Logger } from "effect";
import { jsonLogger, readableLogger } from "../../src/observability/logging.ts";

const capture = (make: typeof jsonLogger) => {
  const lines: Array<string> = [];
  return { lines, layer: Logger.layer([make((line) => lines.push(line))]) };
};

const program = Effect.logWarning("push deferred", { status: 503, secretAccessKey: "hidden-1" }).pipe(
  Effect.annotateLogs({ job: "acme-http", url: "https://u:hidden-2@h.example/in?sig=hidden-3" }),
);

describe("logging", () => {
  it.effect("writes one JSON object a line, with message, fields and annotations", () =>
    Effect.gen(function* () {
      const { lines, layer } = capture(jsonLogger);
      yield* Effect.provide(program, layer);
      assert.strictEqual(lines.length, 1);
      const entry = JSON.parse(lines[0] ?? "");
      assert.include(entry, { level: "warn", message: "push deferred", status: 503, job: "acme-http" });
      assert.strictEqual(entry.url, "https://[redacted]@h.example/in?[redacted]");
      assert.notMatch(lines[0] ?? "", /hidden/);
    }),
  );

  it.effect("writes the cause of a failure without its secrets", () =>
    Effect.gen(function* () {
      const { lines, layer } = capture(jsonLogger);
      const cause = Cause.die(new Error("GET https://u:hidden@h.example/ failed"));
      yield* Effect.logError("unexpected", cause).pipe(Effect.provide(layer));
      const entry = JSON.parse(lines[0] ?? "");
      assert.include(entry.cause, "https://[redacted]@h.example/ failed");
      assert.notInclude(lines[0] ?? "", "hidden");
    }),
  );

  it.effect("writes a readable line for a terminal", () =>
    Effect.gen(function* () {
      const { lines, layer } = capture(readableLogger);
      yield* Effect.provide(program, layer);
      assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} WARN {2}push deferred .*job=acme-http.* status=503/);
      assert.notMatch(lines[0] ?? "", /hidden/);
    }),
  );
});
