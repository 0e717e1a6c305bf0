import { assert, describe, it } from "@effect/vitest";
import { Result } from "effect";
import type { JobEdit } from "../../src/domain/job-transaction.ts";
import { type FoundJob, planTransaction, writesOf } from "../../src/streams/plan-transaction.ts";
import { job } from "../support/job-nodes.ts";

const limits = { count: 2, jobsMax: 3, jobBytesMax: 1_000 };
const at = (id: string, revision: number, changes: object = {}): FoundJob => {
  const stored = job(id, changes);
  return { entry: { revision, removed: false, job: stored }, current: stored };
};
const nothing: FoundJob = { entry: undefined, current: undefined };

const plan = (
  edits: ReadonlyArray<JobEdit>,
  found: Readonly<Record<string, FoundJob>> = {},
  options: Partial<Parameters<typeof planTransaction>[2]> = {},
) => planTransaction(edits, (id) => found[id] ?? nothing, { ...limits, ...options });

const reasons = (planned: ReturnType<typeof plan>) =>
  Result.isFailure(planned) ? planned.failure.map(({ index, reason }) => [index, reason]) : [];

describe("the plan of a transaction", () => {
  it("writes what differs, behind what is there, and removals first", () => {
    const marker: FoundJob = { entry: { revision: 9, removed: true, job: undefined }, current: undefined };
    const planned = plan(
      [{ put: job("a") }, { put: job("b", { weight: 2 }) }, { put: job("c") }, { remove: "d" }, { remove: "e" }],
      { a: at("a", 3), b: at("b", 4), c: marker, d: at("d", 5) },
    );
    assert(Result.isSuccess(planned));
    assert.deepStrictEqual(
      planned.success.map(({ change, revision }) => [change, revision]),
      [
        ["unchanged", 3],
        ["updated", 4],
        ["created", 9],
        ["removed", 5],
        ["unchanged", 0],
      ],
    );
    const headers = { "Spillway-Actor": "ada" };
    assert.deepStrictEqual(
      writesOf(planned.success, headers).map(({ data, id, lastRevision, headers: own }) => [
        id,
        lastRevision,
        data !== undefined,
        own,
      ]),
      [
        ["d", 5, false, headers],
        ["b", 4, true, headers],
        ["c", 9, true, headers],
      ],
    );
  });

  it("replaces a job whose newest message does not decode, but not with one of another customer", () => {
    const damaged: FoundJob = { entry: { revision: 8, removed: false, job: undefined }, current: job("a") };
    const planned = plan([{ put: job("a") }], { a: damaged });
    assert(Result.isSuccess(planned));
    assert.deepInclude(planned.success[0], { change: "updated", revision: 8 });
    assert.deepStrictEqual(reasons(plan([{ put: job("a", { customer: "globex" }) }], { a: damaged })), [
      [0, "identity"],
    ]);
  });

  it("finds every fault of every change", () => {
    const planned = plan(
      [
        { put: job("a", { customer: "globex", dataset: "dns_logs" }), ifRevision: 2 },
        { remove: "a" },
        { put: job("b", { destination: { kind: "file", path: `/${"x".repeat(1_000)}` } }) },
        { put: job("c"), ifRevision: 1 },
      ],
      { a: at("a", 3) },
    );
    assert.deepStrictEqual(reasons(planned), [
      [0, "revision"],
      [0, "identity"],
      [0, "identity"],
      [1, "duplicate"],
      [2, "tooLarge"],
      [3, "revision"],
    ]);
  });

  it("asks for what only the caller knows, with what is stored at that moment", () => {
    const asked: Array<readonly [string, boolean]> = [];
    const planned = plan(
      [{ put: job("a") }, { put: job("b") }],
      { a: at("a", 3) },
      {
        complete: (each, stored) => {
          asked.push([each.id, stored !== undefined]);
          return each.id === "a"
            ? Result.succeed({ ...each, weight: 5 })
            : Result.fail([{ path: ["destination", "url"], message: "is not for us" }]);
        },
      },
    );
    assert.deepStrictEqual(asked, [
      ["a", true],
      ["b", false],
    ]);
    assert(Result.isFailure(planned));
    assert.deepInclude(planned.failure[0], { index: 1, job: "b", reason: "invalid", path: ["destination", "url"] });
  });

  it("counts what it adds and what it takes away against the limit", () => {
    const found = { a: at("a", 1), b: at("b", 2) };
    assert.deepStrictEqual(reasons(plan([{ put: job("c") }, { put: job("d") }], found)), [[1, "tooMany"]]);
    assert.isTrue(Result.isSuccess(plan([{ put: job("c") }, { put: job("d") }, { remove: "a" }], found)));
    // Over it by somebody else's hand: a swap makes it no worse.
    const over = { count: 7 };
    assert.isTrue(Result.isSuccess(plan([{ put: job("c") }, { remove: "a" }], found, over)));
    assert.deepStrictEqual(reasons(plan([{ put: job("c") }], found, over)), [[0, "tooMany"]]);
  });
});
