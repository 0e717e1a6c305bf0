import { assert, describe, it } from "@effect/vitest";
import { settingsProblems } from "../../src/destinations/registry.ts";
import type { HttpDestination, S3Destination } from "../../src/domain/destination.ts";

const http = (settings: Partial<HttpDestination>) =>
  settingsProblems({ kind: "http", url: "https://example.com/in", ...settings }, { allowPrivateDestinations: false });

const s3 = (settings: Partial<S3Destination>) =>
  settingsProblems(
    {
      kind: "s3",
      endpoint: "https://s3.eu-central-1.amazonaws.com",
      region: "eu-central-1",
      bucket: "my-logs",
      accessKeyId: "AK",
      secretAccessKey: "SK",
      ...settings,
    },
    { allowPrivateDestinations: false },
  );

const file = (path: string) => settingsProblems({ kind: "file", path }, { allowPrivateDestinations: false });

describe("settings of an http destination", () => {
  it("may be used when nothing is wrong with them", () => {
    assert.deepStrictEqual(http({}), []);
    assert.deepStrictEqual(
      http({ url: "https://user:word@example.com/in?x=1#y", headers: { "X-A": "b", Accept: "*/*" } }),
      [],
    );
    assert.deepStrictEqual(http({ headers: { Authorization: "Bearer abc" } }), []);
  });

  it.each([
    "Content-Type",
    "content-encoding",
    "CONTENT-LENGTH",
    "Idempotency-Key",
    "Spillway-Batch",
    "spillway-anything",
    "Host",
    "Connection",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
    "TE",
    "Trailer",
    "Keep-Alive",
    "Proxy-Authorization",
    "bad name",
    "",
    "x\r\ny",
    "ünicode",
  ])("refuse the header %j", (name) => {
    assert.strictEqual(http({ headers: { [name]: "v" } }).length, 1);
  });

  it.each(["a\r\nb", "a\nInjected: yes", "\u0000", "\u20ac"])(
    "refuse the header value %j without repeating it",
    (value) => {
      const problems = http({ headers: { "X-Secret": value } });
      assert.strictEqual(problems.length, 1);
      assert.notInclude(problems.join(), value);
    },
  );

  it("refuse what cannot be sent, all at once", () => {
    assert.strictEqual(http({ url: "example.com" }).length, 1);
    assert.strictEqual(http({ url: "ftp://example.com/" }).length, 1);
    assert.strictEqual(http({ url: "http://10.0.0.1/" }).length, 1);
    assert.strictEqual(http({ url: "https://%zz@example.com/" }).length, 1);
    assert.strictEqual(http({ headers: { A: "1", a: "2" } }).length, 1);
    assert.strictEqual(http({ url: "https://u:p@example.com/", headers: { authorization: "x" } }).length, 1);
    assert.strictEqual(http({ headers: { "X-Big": "x".repeat(9_000) } }).length, 1);
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`X-${index}`, ""]));
    assert.strictEqual(http({ headers: many }).length, 1);
    assert.strictEqual(http({ url: "http://10.0.0.1/", headers: { Host: "a", TE: "b" } }).length, 3);
  });

  it("are not repeated where they hold secrets", () => {
    const problems = http({ url: "http://user:passw0rd@10.0.0.1/?token=t0ken", headers: { Host: "v4lue" } });
    assert.isAbove(problems.length, 0);
    assert.notMatch(problems.join(), /passw0rd|t0ken|v4lue/);
  });
});

describe("settings of an s3 destination", () => {
  it("may be used when nothing is wrong with them", () => {
    assert.deepStrictEqual(s3({}), []);
    assert.deepStrictEqual(s3({ path: "logs/{DATE}/ü+ x", pathStyle: false, sessionToken: "FwoG+/=" }), []);
    assert.deepStrictEqual(s3({ endpoint: "https://minio.example.com/s3/", bucket: "Old_Style.Bucket" }), []);
  });

  it.each<readonly [string, Partial<S3Destination>]>([
    ["an endpoint that is no URL", { endpoint: "s3.example.com" }],
    ["an endpoint inside", { endpoint: "http://169.254.169.254" }],
    ["an endpoint with userinfo", { endpoint: "https://a:b@s3.example.com" }],
    ["an endpoint with a query", { endpoint: "https://s3.example.com/?x=1" }],
    ["a bucket that leaves its place", { bucket: "../other" }],
    ["a bucket that changes the host", { bucket: "evil.com/x", pathStyle: false }],
    ["an upper-case bucket in a host name", { bucket: "Logs", pathStyle: false }],
    ["a bucket before an address", { endpoint: "https://8.8.8.8", pathStyle: false }],
    ["a path that leaves the bucket", { path: "a/../../other/" }],
    ["a path with a control character", { path: "a\nb" }],
    ["a path with half a character", { path: "a\ud800" }],
    ["a path that is too long", { path: "x".repeat(901) }],
    ["a key with a line break", { accessKeyId: "AK\r\nX: y" }],
    ["a region with a space", { region: "eu central" }],
  ])("refuse %s", (_, settings) => {
    assert.strictEqual(s3(settings).length, 1);
  });

  it("are not repeated where they hold secrets", () => {
    const problems = s3({ accessKeyId: "ak ak", secretAccessKey: "sk sk", sessionToken: "st st" });
    assert.strictEqual(problems.length, 3);
    assert.notMatch(problems.join(), /ak ak|sk sk|st st/);
  });
});

describe("settings of a file destination", () => {
  it("may be any path of bounded length", () => {
    assert.deepStrictEqual(file("/var/log/spillway/{DATE}"), []);
    assert.deepStrictEqual(file("out"), []);
    assert.strictEqual(file("a\u0000b").length, 1);
    assert.strictEqual(file(`/${"x".repeat(300)}`).length, 1);
    assert.strictEqual(file("/x".repeat(3_000)).length, 1);
  });
});
