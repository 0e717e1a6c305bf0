import { assert, describe, it } from "@effect/vitest";
import type { AuditEntry } from "../../src/domain/audit-entry.ts";
import { brokenLink, chainStart, sealed } from "../../src/streams/audit-chain.ts";

const note = { kind: "request.asked", who: "ada", from: "::1", what: "PUT /v1/jobs/a", why: "", detail: "" } as const;
const first = sealed({ ...note, number: 1, millis: 5, node: "n", previous: chainStart });
const second = sealed({ ...note, who: "bob", number: 2, millis: 6, node: "n", previous: first.hash });

describe("the audit chain", () => {
  it("holds while each entry names the one before and is what its hash says", () => {
    assert.isUndefined(brokenLink(first, 1, chainStart));
    assert.isUndefined(brokenLink(second, 2, first.hash));
  });

  it("breaks when any field of an entry is another one", () => {
    const others: ReadonlyArray<Partial<AuditEntry>> = [
      { who: "eve" },
      { what: "DELETE /v1/jobs/a" },
      { why: "because" },
      { detail: "x" },
      { from: "" },
      { millis: 7 },
      { node: "m" },
      { kind: "request.answered" },
    ];
    for (const over of others) assert.match(brokenLink({ ...second, ...over }, 2, first.hash)!, /was changed/);
    // Changed by somebody who knows how to hash: then it is the next one that does not follow.
    const forged = sealed({ ...first, who: "eve" });
    assert.isUndefined(brokenLink(forged, 1, chainStart));
    assert.match(brokenLink(second, 2, forged.hash)!, /does not follow/);
    assert.match(brokenLink(second, 3, first.hash)!, /number 2, 3 was expected/);
  });
});
