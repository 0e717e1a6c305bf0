import { assert, describe, it } from "@effect/vitest";
import { Result } from "effect";
import * as fc from "fast-check";
import { inspect } from "node:util";
import { problemText } from "../../src/control/problem.ts";
import { redactJob, restoreRedacted } from "../../src/control/redact-job.ts";
import type { Destination } from "../../src/domain/destination.ts";
import { PushJob } from "../../src/domain/push-job.ts";
import { anyPushJob } from "../support/push-job-arbitrary.ts";

const job = (destination: Destination): PushJob =>
  PushJob.make({
    id: "a",
    customer: "acme",
    dataset: "http_requests",
    enabled: true,
    destination,
    batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
  } as never);

const http = job({
  kind: "http",
  url: "https://CANARY1:CANARY2@hooks.example/in?token=CANARY3",
  headers: { Authorization: "Bearer CANARY4", "X-Key": "CANARY5" },
});
const s3 = job({
  kind: "s3",
  endpoint: "https://CANARY1:CANARY2@s3.example/?CANARY3",
  region: "eu",
  bucket: "b",
  accessKeyId: "CANARY4",
  secretAccessKey: "CANARY5",
  sessionToken: "CANARY6",
});

const to = (stored: PushJob, changes: object) => job({ ...stored.destination, ...changes });
const problems = (incoming: PushJob, stored: PushJob | undefined) => {
  const restored = restoreRedacted(incoming, stored);
  return Result.isFailure(restored) ? restored.failure.map(problemText) : [];
};

describe("a redacted job", () => {
  it.each([
    ["http", http],
    ["s3", s3],
  ])("of kind %s shows no secret", (_, secretive) => {
    const shown = redactJob(secretive);
    for (const text of [JSON.stringify(shown), inspect(shown, { depth: 9 })]) {
      assert.notInclude(text, "CANARY");
    }
    assert.include(JSON.stringify(shown), "[redacted]");
    // What it is not for: showing where the logs go.
    assert.match(JSON.stringify(shown), /hooks\.example|s3\.example/);
  });

  it("sent back as it was shown is the stored job", () => {
    fc.assert(
      fc.property(anyPushJob, (stored) => {
        assert.deepStrictEqual(Result.getOrThrow(restoreRedacted(redactJob(stored), stored)), stored);
      }),
    );
    for (const stored of [http, s3]) {
      const roundTrip = JSON.parse(JSON.stringify(redactJob(stored))) as PushJob;
      assert.deepStrictEqual(Result.getOrThrow(restoreRedacted(roundTrip, stored)), stored);
    }
  });

  it("may be changed in part: what is given anew replaces, what is marked is kept, what is left out is gone", () => {
    const restored = Result.getOrThrow(
      restoreRedacted(to(redactJob(http), { headers: { "x-key": "[redacted]", New: "n" }, timeoutSeconds: 7 }), http),
    );
    assert.deepStrictEqual(restored, to(http, { headers: { "x-key": "CANARY5", New: "n" }, timeoutSeconds: 7 }));
  });

  it("keeps the secrets of a URL whose path changes", () => {
    const url = "https://[redacted]@hooks.example/other?[redacted]";
    const { destination } = Result.getOrThrow(restoreRedacted(to(http, { url }), http));
    assert.strictEqual(
      destination.kind === "http" ? destination.url : "",
      "https://CANARY1:CANARY2@hooks.example/other?token=CANARY3",
    );
  });

  it("loses the secrets of a URL that comes back without them", () => {
    const url = "https://hooks.example/in";
    const { destination } = Result.getOrThrow(restoreRedacted(to(http, { url }), http));
    assert.strictEqual(destination.kind === "http" ? destination.url : "", url);
  });

  it("never sends a stored secret to another host", () => {
    const url = "https://evil.example/in?[redacted]";
    assert.deepStrictEqual(
      problems(to(redactJob(http), { url }), http).map((text) => text.slice(0, text.indexOf(" is"))),
      ["destination.url:", "destination.headers.Authorization:", "destination.headers.X-Key:"],
    );
    const endpoint = "https://evil.example";
    assert.lengthOf(problems(to(redactJob(s3), { endpoint }), s3), 3);
    assert.lengthOf(problems(redactJob(s3), http), 4);
  });

  it("tells headers apart that differ in case only", () => {
    const stored = to(http, { headers: { A: "CANARY1", a: "CANARY2" } });
    assert.deepStrictEqual(Result.getOrThrow(restoreRedacted(redactJob(stored), stored)), stored);
  });

  it("as a new job is an error for every mark", () => {
    assert.lengthOf(problems(redactJob(http), undefined), 3);
    assert.lengthOf(problems(redactJob(s3), undefined), 4);
    assert.notInclude(problems(redactJob(http), undefined).join(), "CANARY");
    assert.deepStrictEqual(problems(http, undefined), []);
  });
});
