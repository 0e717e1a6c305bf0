import { Result, Schema } from "effect";
import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { PushJob } from "../../src/domain/push-job.ts";
import { isPlainJob } from "../../src/streams/plain-job.ts";
import { storedJob } from "../support/world.ts";
import { anyPushJob } from "../support/push-job-arbitrary.ts";

const decode = Schema.decodeUnknownResult(PushJob);

/** Paths of members that a job has, or might have by mistake. */
const paths = [
  ...["id", "customer", "dataset", "enabled", "destination", "batch", "weight", "other"].map((name) => [name]),
  ...["kind", "url", "path", "headers", "other"].map((name) => ["destination", name]),
  ...["maxBytes", "maxRecords", "maxIntervalSeconds", "other"].map((name) => ["batch", name]),
];
const wrong = fc.oneof(
  fc.constantFrom<unknown>("", "_a", "a.b", "x".repeat(65), null, true, 0, 1.5, 999, 999_999, 1_000_001, 301, [], {}),
  fc.constantFrom<unknown>({ a: 1 }, { a: "b" }, "http", "file", "s3", ["a"], 100_000_001, -1, "ok"),
);

const changed = (job: PushJob, path: ReadonlyArray<string>, value: unknown, removed: boolean): unknown => {
  const copy = structuredClone(job) as unknown as Record<string, unknown>;
  const inner = path.length === 1 ? copy : (copy[path[0]!] as Record<string, unknown>);
  if (removed) delete inner[path.at(-1)!];
  else inner[path.at(-1)!] = value;
  return copy;
};

describe("a plain push job", () => {
  it("is one that the schema admits as it is, whatever is wrong with a job", () => {
    let plain = 0;
    fc.assert(
      fc.property(anyPushJob, fc.constantFrom(...paths), wrong, fc.boolean(), (job, path, value, removed) => {
        for (const each of [job, changed(job, path, value, removed)]) {
          const text = JSON.parse(JSON.stringify(each)) as unknown;
          if (!isPlainJob(text)) continue;
          plain += 1;
          const decoded = decode(text);
          assert.isTrue(Result.isSuccess(decoded), JSON.stringify(text));
          if (Result.isSuccess(decoded)) assert.deepStrictEqual<unknown>(decoded.success, text);
        }
      }),
      { numRuns: 2_000 },
    );
    assert.isAbove(plain, 500);
  });

  it("is what nearly every job is", () => {
    const { job } = storedJob("a", "b");
    assert.isTrue(isPlainJob(job));
    const http = { kind: "http" as const, url: "http://example.com", headers: { a: "b" } };
    assert.isTrue(isPlainJob({ ...job, destination: http }));
    assert.isFalse(isPlainJob({ ...job, weight: 2 }), "the schema says what that is");
  });
});
