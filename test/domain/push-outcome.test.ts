import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import {
  classifyException,
  classifyStatus,
  parseRetryAfter,
  type PushOutcome,
  retryAfterMillisMax,
} from "../../src/domain/push-outcome.ts";

/** `tag reason`, with `?` when the destination may hold the batch all the same. */
const brief = (outcome: PushOutcome): string => {
  switch (outcome._tag) {
    case "Delivered":
      return "Delivered";
    case "Deferred":
      return `Deferred ${outcome.reason}${outcome.ambiguous ? " ?" : ""}`;
    case "Rejected":
      return `Rejected ${outcome.reason}`;
  }
};

describe("the outcome of a status", () => {
  const table: ReadonlyArray<readonly [status: number, outcome: string]> = [
    [200, "Delivered"],
    [201, "Delivered"],
    [202, "Delivered"],
    [204, "Delivered"],
    [301, "Rejected redirect"],
    [302, "Rejected redirect"],
    [307, "Rejected redirect"],
    [400, "Rejected data"],
    [401, "Rejected unauthorised"],
    [402, "Rejected other"],
    [403, "Rejected forbidden"],
    [404, "Rejected not-found"],
    [405, "Rejected other"],
    [408, "Deferred timeout ?"],
    [409, "Rejected conflict"],
    [410, "Rejected not-found"],
    [412, "Rejected conflict"],
    [413, "Rejected data"],
    [422, "Rejected data"],
    [425, "Deferred timeout ?"],
    [429, "Deferred throttled"],
    [500, "Deferred server-error ?"],
    [501, "Deferred server-error ?"],
    [502, "Deferred server-error ?"],
    [503, "Deferred server-error"],
    [504, "Deferred server-error ?"],
    [529, "Deferred server-error ?"],
  ];
  it.each(table)("%i is %s", (status, expected) => {
    assert.strictEqual(brief(classifyStatus(status, undefined, "it")), expected);
  });

  it("carries what Retry-After said", () => {
    const outcome = classifyStatus(429, 7_000, "it");
    assert.deepStrictEqual(outcome, {
      _tag: "Deferred",
      reason: "throttled",
      status: 429,
      retryAfterMillis: 7_000,
      ambiguous: false,
      detail: "it",
    });
  });

  it("is Delivered for 2xx alone, and never Rejected for 5xx", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), (status) => {
        const outcome = classifyStatus(status, undefined, "it");
        assert.strictEqual(outcome._tag === "Delivered", status >= 200 && status < 300);
        if (status >= 500) assert.strictEqual(outcome._tag, "Deferred");
      }),
    );
  });
});

describe("the outcome of an exception", () => {
  const table: ReadonlyArray<readonly [code: string, sent: string, unsent: string]> = [
    ["ECONNREFUSED", "Deferred connection-refused", "Deferred connection-refused"],
    ["EHOSTUNREACH", "Deferred connection-refused", "Deferred connection-refused"],
    ["UND_ERR_CONNECT_TIMEOUT", "Deferred connection-refused", "Deferred connection-refused"],
    ["ENOTFOUND", "Deferred dns", "Deferred dns"],
    ["EAI_AGAIN", "Deferred dns", "Deferred dns"],
    ["ECONNRESET", "Deferred connection-reset ?", "Deferred connection-reset"],
    ["EPIPE", "Deferred connection-reset ?", "Deferred connection-reset"],
    ["UND_ERR_SOCKET", "Deferred connection-reset ?", "Deferred connection-reset"],
    ["ETIMEDOUT", "Deferred timeout ?", "Deferred timeout"],
    ["ENOSPC", "Deferred storage-full", "Deferred storage-full"],
    ["EDQUOT", "Deferred storage-full", "Deferred storage-full"],
    ["EACCES", "Rejected forbidden", "Rejected forbidden"],
    ["EROFS", "Rejected forbidden", "Rejected forbidden"],
    ["ENOTDIR", "Rejected invalid-settings", "Rejected invalid-settings"],
    ["EEXIST", "Rejected invalid-settings", "Rejected invalid-settings"],
    ["UND_ERR_INVALID_ARG", "Rejected invalid-settings", "Rejected invalid-settings"],
    ["SPILLWAY_BLOCKED_ADDRESS", "Rejected blocked-address", "Rejected blocked-address"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "Rejected tls", "Rejected tls"],
    ["CERT_HAS_EXPIRED", "Rejected tls", "Rejected tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "Rejected tls", "Rejected tls"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "Rejected tls", "Rejected tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "Rejected tls", "Rejected tls"],
    ["EWHATEVER", "Deferred other ?", "Deferred other"],
    ["", "Deferred other ?", "Deferred other"],
  ];
  it.each(table)("%s is %s; before anything was sent, %s", (code, sent, unsent) => {
    assert.strictEqual(brief(classifyException(code, "it")), sent);
    assert.strictEqual(brief(classifyException(code, "it", false)), unsent);
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 7);
  const table: ReadonlyArray<readonly [value: string | undefined, millis: number | undefined]> = [
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5_000],
    ["999999999999999999999", retryAfterMillisMax],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 30_000],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 30_000],
    ["Sun Nov  6 08:49:37 1994", 30_000],
    ["Sun, 06 Nov 1994 08:48:00 GMT", 0],
    ["Sun, 06 Nov 2194 08:48:00 GMT", retryAfterMillisMax],
    [undefined, undefined],
    ["", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["soon", undefined],
    ["1994-11-06T08:49:37Z", undefined],
    ["Sun, 99 Nov 1994 99:99:99 GMT", undefined],
  ];
  it.each(table)("%j is %s ms", (value, millis) => {
    assert.strictEqual(parseRetryAfter(value, now), millis);
  });

  it("is a bounded, non-negative wait or nothing, whatever a server writes", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const wait = parseRetryAfter(value, now);
        assert.isTrue(wait === undefined || (wait >= 0 && wait <= retryAfterMillisMax));
      }),
    );
  });
});
