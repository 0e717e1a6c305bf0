import { assert, describe, it } from "vitest";
import { redact, redactText } from "../../src/observability/redaction.ts";

describe("redact", () => {
  it("replaces what carries a secret by its name, at any depth", () => {
    const destination = {
      kind: "s3",
      bucket: "logs",
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI",
      sessionToken: "FwoGZXIvYXdzE",
      headers: { "x-api": "k1" },
    };
    const text = JSON.stringify(redact({ job: { id: "a", destination }, SPILLWAY_TOKEN: "t0ken", cookie: "c00kie" }));
    for (const secret of ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "FwoGZXIvYXdzE", "k1", "t0ken", "c00kie"]) {
      assert.notInclude(text, secret);
    }
    assert.include(text, '"bucket":"logs"');
    assert.include(text, '"id":"a"');
  });

  it("takes userinfo and query out of URLs, and tokens out of sentences", () => {
    const table: ReadonlyArray<readonly [string, string]> = [
      [
        "pushed to https://u:p4ss@h.example/a?sig=x1, twice",
        "pushed to https://[redacted]@h.example/a?[redacted], twice",
      ],
      ["see https://h.example/a.", "see https://h.example/a."],
      ["nats://user:p4ss@127.0.0.1:4222 lost", "nats://[redacted]@127.0.0.1:4222 lost"],
      ["Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"],
      ["key AKIAIOSFODNN7EXAMPLE is unknown", "key [redacted] is unknown"],
      ["POST /x?token=abc&n=1", "POST /x?token=[redacted]&n=1"],
      ["nothing to hide", "nothing to hide"],
    ];
    for (const [text, expected] of table) assert.equal(redactText(text), expected);
  });

  it("never prints bytes, and bounds depth, length and width", () => {
    assert.equal(redact(Buffer.from("record")), "[6 bytes]");
    let deep: unknown = "bottom";
    for (let i = 0; i < 20; i++) deep = { deep };
    assert.notInclude(JSON.stringify(redact(deep)), "bottom");
    assert.isBelow(redactText("x".repeat(100_000)).length, 9_000);
    assert.lengthOf(redact(Array.from({ length: 1_000 }, (_, at) => at)) as Array<number>, 100);
  });
});
