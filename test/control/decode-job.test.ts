import { assert, describe, it } from "@effect/vitest";
import { Result } from "effect";
import * as fc from "fast-check";
import { decodeJob } from "../../src/control/decode-job.ts";
import { problemText } from "../../src/control/problem.ts";
import { canonicalJob, decodeStoredJob, encodeJob } from "../../src/streams/job-codec.ts";
import { anyPushJob } from "../support/push-job-arbitrary.ts";

const problems = (input: unknown, context = {}) => {
  const decoded = decodeJob(input, context);
  return Result.isFailure(decoded) ? decoded.failure.map(problemText) : [];
};

const file = { customer: "acme", dataset: "http_requests", destination: { kind: "file", path: "/out" } };

describe("one job as JSON", () => {
  it("decodes to what it was encoded from", () => {
    fc.assert(
      fc.property(anyPushJob, (job) => {
        assert.deepStrictEqual(Result.getOrThrow(decodeJob(JSON.parse(JSON.stringify(job)))), job);
      }),
    );
  });

  it("takes its id from the address of the request, and contradicts it in no other way", () => {
    assert.strictEqual(Result.getOrThrow(decodeJob(file, { id: "a" })).id, "a");
    assert.deepStrictEqual(problems({ ...file, id: "b" }, { id: "a" }), ["id: must be a, got b"]);
    assert.deepStrictEqual(problems(file), ["id: is missing"]);
  });

  it("needs an absolute path when nobody knows where a relative one begins", () => {
    const relative = { ...file, id: "a", destination: { kind: "file", path: "out" } };
    assert.deepStrictEqual(problems(relative), ["destination.path: must be an absolute path"]);
    assert.deepStrictEqual(problems(relative, { directory: "/jobs" }), []);
  });

  it("tells everything that is wrong, and quotes no secret", () => {
    const destination = {
      kind: "http",
      url: "https://u:CANARY@h/?CANARY",
      headers: { A: { CANARY: 1 } },
      token: "CANARY",
    };
    const lines = problems({ id: "a", customer: 3, dataset: "d", destination, batch: { maxRecords: 1.5 } });
    assert.deepStrictEqual(lines.toSorted(), [
      "batch.maxRecords: must be an integer, got 1.5",
      "batch.maxRecords: must be between 1000 and 1000000, got 1.5",
      "customer: must be a string, got 3",
      "destination.headers.A: must be a string, got an object",
      "destination.token: is not a known key: known are kind, url, headers, timeoutSeconds",
    ]);
  });

  it.each([[null], [undefined], [[]], ["x"], [4]])("is an object, not %j", (input) => {
    assert.match(problems(input, { id: "a" }).join(), /^must be an object/);
  });
});

describe("a stored job", () => {
  it("decodes to what it was encoded from, whatever the order of its keys", () => {
    fc.assert(
      fc.property(anyPushJob, (job) => {
        assert.deepStrictEqual(decodeStoredJob(job.id, encodeJob(job)), job);
        const reversed = Object.fromEntries(Object.entries(job).toReversed()) as typeof job;
        assert.strictEqual(canonicalJob(reversed), canonicalJob(job));
      }),
    );
  });

  it.each([[""], ["{"], ["{}"], ["null"], ["\uD800"], ['{"id":"b"}']])("is none: %j", (text) => {
    assert.isUndefined(decodeStoredJob("a", new TextEncoder().encode(text)));
  });

  it("under another key, or in broken UTF-8, is none", () => {
    fc.assert(
      fc.property(anyPushJob, (job) => {
        assert.isUndefined(decodeStoredJob(`${job.id}x`, encodeJob(job)));
        assert.isUndefined(decodeStoredJob(job.id, Uint8Array.of(0xff, ...encodeJob(job))));
      }),
      { numRuns: 20 },
    );
  });
});
