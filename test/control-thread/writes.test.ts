import { assert, describe, it } from "@effect/vitest";
import { millisMaxOf } from "../../src/control-thread/writes.ts";

describe("a write", () => {
  it("is waited for longer where a snapshot may have to be made first", () => {
    assert.isAbove(millisMaxOf("/v1/config/apply"), 100_000, "longer than a node waits for its control process");
    assert.isBelow(millisMaxOf("/v1/config/apply"), 120_000, "and not as long as the CLI does");
    assert.strictEqual(millisMaxOf("/v1/jobs/a"), 30_000);
  });
});
