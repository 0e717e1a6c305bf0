import { assert, describe, it } from "@effect/vitest";
import { Result } from "effect";
import { decodeTransaction } from "../../src/control/decode-transaction.ts";
import { problemText } from "../../src/control/problem.ts";

const aJob = {
  id: "a",
  customer: "acme",
  dataset: "http_requests",
  destination: { kind: "file", path: "/out" },
};

const problemsOf = (input: unknown): ReadonlyArray<string> => {
  const decoded = decodeTransaction(input);
  return Result.isFailure(decoded) ? decoded.failure.problems.map(problemText) : [];
};

describe("a transaction as it is written", () => {
  it("puts and removes, with defaults filled in", () => {
    const decoded = decodeTransaction({
      changes: [{ put: aJob, ifRevision: 0 }, { remove: "b" }],
      reason: "ticket 7",
    });
    assert(Result.isSuccess(decoded));
    const { dryRun, edits, reason } = decoded.success;
    assert.deepStrictEqual([dryRun, reason], [false, "ticket 7"]);
    assert.deepInclude(edits[0], { ifRevision: 0 });
    assert.deepInclude("put" in edits[0]! ? edits[0].put : {}, { id: "a", enabled: true });
    assert.deepStrictEqual(edits[1], { remove: "b", ifRevision: undefined });
  });

  it("is told everything that is wrong with it, with the index", () => {
    assert.deepStrictEqual(
      problemsOf({
        changes: [
          { put: { ...aJob, batch: { maxBytes: 7 } } },
          { put: aJob, remove: "a" },
          {},
          { remove: "no dots.", ifRevision: -1 },
          { put: aJob, ifrevision: 3 },
          7,
        ],
      }).map((text) => text.replace(/(: must be (between|greater|1 to)).*/, "$1")),
      [
        "changes[0].put.batch.maxBytes: must be between",
        "changes[1]: must have either put (a push job) or remove (an id)",
        "changes[2]: must have either put (a push job) or remove (an id)",
        "changes[3].remove: must be 1 to",
        "changes[3].ifRevision: must be greater",
        "changes[4].ifrevision: is not a known key: did you mean ifRevision?",
        "changes[5]: must be an object, got a number",
      ],
    );
    for (const [input, said] of [
      [{}, /^changes: is missing/],
      [{ changes: [] }, /^changes: must not be empty/],
      [{ changes: [{ remove: "a" }], dryrun: true }, /^dryrun: is not a known key: did you mean dryRun/],
      [{ changes: [{ remove: "a" }], reason: "x".repeat(501) }, /^reason: /],
      [null, /must be an object/],
    ] as const) {
      const problems = problemsOf(input);
      assert.lengthOf(problems, 1);
      assert.match(problems[0]!, said);
    }
  });

  it("has a limit, and says what to do", () => {
    const changes = Array.from({ length: 1_001 }, (_, i) => ({ remove: `job-${i}` }));
    assert.match(problemsOf({ changes })[0]!, /^changes: are 1001; a transaction has at most 1000: split it/);
    assert.deepStrictEqual(problemsOf({ changes: changes.slice(1) }), []);
  });

  it("never quotes what may be a secret", () => {
    const secret = "https://user:hunter2@";
    const destination = { kind: "http", url: secret, headers: { Authorization: 7, "X-Key": "hunter2" } };
    const text = problemsOf({ changes: [{ put: { ...aJob, destination, secret: "hunter2" } }] }).join("\n");
    assert.notInclude(text, "hunter2");
    assert.notStrictEqual(text, "");
  });
});
