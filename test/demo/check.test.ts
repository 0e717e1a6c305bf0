import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, assert, beforeEach, describe, it } from "vitest";
import { checkDeliveries } from "../../demo/check/check-deliveries.ts";
import type { Expectation } from "../../demo/check/findings.ts";
import { expectLines } from "../../demo/check/line-expectation.ts";
import { postFileName } from "../../demo/check/post-file-name.ts";
import { expectRays } from "../../demo/check/ray-expectation.ts";
import { readFiles } from "../../demo/check/read-files.ts";
import { readObjects } from "../../demo/check/read-objects.ts";
import { type PostCounts, readPosts } from "../../demo/check/read-posts.ts";
import { orderOfBatchId, type StoredBatch } from "../../demo/check/stored-batch.ts";
import { RequestLog } from "../../demo/generator/request-log.ts";
import { startS3Server } from "../../demo/s3-server.ts";
import { startS3Store, storeCredentials } from "../support/s3-store.ts";

const log = new RequestLog({ seed: 11, customerField: false });
const good = {
  missing: 0,
  unknown: 0,
  corrupted: 0,
  misplaced: 0,
  outOfOrder: 0,
  customersDiffering: 0,
  duplicatedOf: new Map<number, number>(),
};

/** Customer 0 has the records 0–99 and 200–299, customer 1 has 100–199. */
const sent = (): Expectation => {
  const expectation = expectRays({ records: 300, rayIds: log.rayIds });
  for (const [customer, first] of [
    [0, 0],
    [1, 100],
    [0, 200],
  ] as const) {
    expectation.expect(customer, first, log.body(first, 100));
  }
  return expectation;
};

const linesOf = (content: Buffer) => content.toString("utf8").trimEnd().split("\n");
const bodyOf = (lines: ReadonlyArray<string>) => Buffer.from(`${lines.join("\n")}\n`);

describe("expectRays", () => {
  it("finds nothing wrong with what was sent, however it is cut into batches", () => {
    const expectation = sent();
    const all = Buffer.concat([log.body(0, 100), log.body(200, 100)]);
    const cut = all.indexOf(10, all.length / 3) + 1;
    expectation.find(0, all.subarray(0, cut));
    expectation.find(0, all.subarray(cut));
    expectation.find(1, log.body(100, 100));
    assert.deepStrictEqual(expectation.findings(), { ...good, found: 300 });
  });

  it("finds a lost record", () => {
    const expectation = sent();
    expectation.find(0, Buffer.concat([log.body(0, 100), log.body(200, 100)]));
    expectation.find(1, bodyOf(linesOf(log.body(100, 100)).toSpliced(50, 1)));
    assert.deepStrictEqual(expectation.findings(), { ...good, found: 299, missing: 1, customersDiffering: 1 });
  });

  it("finds a batch that is there twice", () => {
    const expectation = sent();
    expectation.find(0, Buffer.concat([log.body(0, 100), log.body(200, 100)]));
    expectation.find(1, log.body(100, 100));
    expectation.find(1, log.body(100, 100));
    const { customersDiffering, duplicatedOf, found } = expectation.findings();
    assert.deepStrictEqual([found, [...duplicatedOf], customersDiffering], [300, [[1, 100]], 1]);
  });

  it("finds two records that changed places", () => {
    const expectation = sent();
    const lines = linesOf(log.body(100, 100));
    expectation.find(0, Buffer.concat([log.body(0, 100), log.body(200, 100)]));
    expectation.find(1, bodyOf(lines.with(10, lines[11] as string).with(11, lines[10] as string)));
    assert.deepStrictEqual(expectation.findings(), { ...good, found: 300, outOfOrder: 1, customersDiffering: 1 });
  });

  it("finds batches that changed places", () => {
    const expectation = sent();
    expectation.find(0, log.body(200, 100));
    expectation.find(0, log.body(0, 100));
    expectation.find(1, log.body(100, 100));
    assert.strictEqual(expectation.findings().outOfOrder, 100);
  });

  it("finds a changed byte, in the id or anywhere else", () => {
    for (const [at, findings] of [
      [200, { corrupted: 1, unknown: 0 }],
      [12, { corrupted: 0, unknown: 1 }],
    ] as const) {
      const expectation = sent();
      const body = Buffer.from(log.body(100, 100));
      body[at] = body[at] === 48 ? 49 : 48;
      expectation.find(0, Buffer.concat([log.body(0, 100), log.body(200, 100)]));
      expectation.find(1, body);
      const expected = { ...good, ...findings, found: 299, missing: 1, customersDiffering: 1 };
      assert.deepStrictEqual(expectation.findings(), expected);
    }
  });

  it("finds another customer's records, strangers' records and empty lines", () => {
    const expectation = sent();
    const stranger = new RequestLog({ seed: 12, customerField: false }).body(0, 3);
    expectation.find(0, Buffer.concat([log.body(0, 100), log.body(200, 100), log.body(100, 100)]));
    expectation.find(1, Buffer.concat([stranger, Buffer.from("\n")]));
    const expected = { ...good, found: 200, missing: 100, misplaced: 100, unknown: 4, customersDiffering: 2 };
    assert.deepStrictEqual(expectation.findings(), expected);
  });
});

describe("expectLines", () => {
  it("compares multisets: equal lines count as often as they were sent", () => {
    const expectation = expectLines();
    expectation.expect(0, 0, Buffer.from('{"a":1}\n{"a":1}\n{"a":2}\n'));
    expectation.expect(1, 3, Buffer.from('{"a":1}\n'));
    expectation.find(0, Buffer.from('{"a":1}\n{"a":2}\n{"a":2}\n'));
    expectation.find(1, Buffer.from('{"a":1}\n{"a":3}\n'));
    const expected = { ...good, found: 3, missing: 1, unknown: 1, duplicatedOf: new Map([[0, 1]]) };
    assert.deepStrictEqual(expectation.findings(), expected);
  });
});

const batch = (name: string, order: string, content: Buffer): StoredBatch => ({
  name,
  order,
  gzip: gzipSync(content),
});
const run = async (expectation: Expectation, batches: ReadonlyArray<StoredBatch>) => {
  const read = () => Promise.resolve(batches);
  return checkDeliveries({ expectation, customers: [{ customer: 0, name: "customer-00000", read }] });
};

describe("checkDeliveries", () => {
  it("orders batches by their names, and those that share one by what they begin with", async () => {
    const expectation = sent();
    const late = log.body(200, 100);
    const cut = late.indexOf(10, late.length / 2) + 1;
    await run(expectation, [
      batch("c", "2", late.subarray(cut)),
      batch("b", "1", late.subarray(0, cut)),
      batch("a", "1", log.body(0, 100)),
    ]);
    assert.strictEqual(expectation.findings().outOfOrder, 0);
    assert.strictEqual(expectation.findings().found, 200);
  });

  it("names a batch that is cut short, and misses its records", async () => {
    const expectation = sent();
    const whole = gzipSync(log.body(0, 100));
    const readings = await run(expectation, [
      { name: "half", order: "1", gzip: whole.subarray(0, whole.length / 2) },
      batch("whole", "2", log.body(200, 100)),
    ]);
    assert.deepStrictEqual(readings, { batches: 2, unreadable: ["half"] });
    assert.strictEqual(expectation.findings().missing, 200);
  });

  it("reads members that were put one after the other", async () => {
    const expectation = sent();
    const gzip = Buffer.concat([gzipSync(log.body(0, 100)), gzipSync(log.body(200, 100))]);
    await run(expectation, [{ name: "two", order: "1", gzip }]);
    assert.strictEqual(expectation.findings().found, 200);
  });
});

describe("readers", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spillway-check-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("reads files of all days and leaves half-written ones alone", async () => {
    const day = join(directory, "customer-00000", "20241114");
    await mkdir(day, { recursive: true });
    await writeFile(join(day, "20241114T000000Z_20241114T000002Z_0badcafe.log.gz"), "whole");
    await writeFile(join(day, ".20241114T000000Z_20241114T000002Z_0badcafe.log.gz.x-1.spillway-part"), "half");
    const read = readFiles(directory);
    const [only, ...more] = await read("customer-00000");
    assert.deepStrictEqual(more, []);
    assert.deepStrictEqual([only?.order, String(only?.gzip)], ["20241114T000000Z_20241114T000002Z", "whole"]);
    assert.deepStrictEqual(await read("customer-00001"), []);
  });

  it("takes each Idempotency-Key of the receiver once, and notices other records under it", async () => {
    await mkdir(join(directory, "c"));
    const post = (arrival: number, key: string, content: string) =>
      writeFile(join(directory, "c", postFileName({ arrival, key })), gzipSync(content));
    await post(1, "2024-11-14T00:00:00Z_job_1-9", "same");
    await post(2, "2024-11-14T00:00:00Z_job_1-9", "same");
    await post(3, "2024-11-14T00:00:00Z_job_10-12", "one");
    await post(4, "2024-11-14T00:00:00Z_job_10-12", "other");
    const counts: PostCounts = { repeated: 0, conflicting: 0 };
    const batches = await readPosts(directory, counts)("c");
    assert.strictEqual(batches.length, 2);
    assert.deepStrictEqual(counts, { repeated: 2, conflicting: 1 });
    assert.isTrue(orderOfBatchId("x_job_9-9") < orderOfBatchId("x_job_10-12"));
  });

  it("lists and fetches every object of one prefix from a real S3 server", async () => {
    const s3 = await startS3Server({ directory });
    try {
      const read = readObjects(s3);
      assert.deepStrictEqual(await read("customer-00000"), []);
      const { AwsClient } = await import("aws4fetch");
      const client = new AwsClient({ ...s3, service: "s3" });
      const put = async (key: string, id: string) => {
        const response = await client.fetch(`${s3.endpoint}/${s3.bucket}/${key}`, {
          method: "PUT",
          body: key,
          headers: { "x-amz-meta-spillway-batch": id },
        });
        assert.isTrue(response.ok);
      };
      await put("customer-00000/20241114/a.log.gz", "x_job_5-7");
      await put("customer-00000/20241115/b.log.gz", "x_job_8-8");
      await put("customer-00001/20241114/c.log.gz", "x_job_1-1");
      const batches = await read("customer-00000");
      assert.deepStrictEqual(
        batches.map(({ gzip, name, order }) => [name, String(gzip), order]),
        [
          ["customer-00000/20241114/a.log.gz", "customer-00000/20241114/a.log.gz", orderOfBatchId("x_job_5-7")],
          ["customer-00000/20241115/b.log.gz", "customer-00000/20241115/b.log.gz", orderOfBatchId("x_job_8-8")],
        ],
      );
    } finally {
      await s3.close();
    }
  });

  it("signs what it asks, and says so when the store refuses", async () => {
    const store = await startS3Store();
    try {
      store.intercept = (request, response) => {
        if (request.method !== "GET") return false;
        response.end("<ListBucketResult></ListBucketResult>");
        return true;
      };
      const settings = { ...storeCredentials, endpoint: store.endpoint, bucket: "logs" };
      assert.deepStrictEqual(await readObjects(settings)("customer-00000"), []);
      const refused = readObjects({ ...settings, secretAccessKey: "wrong" })("customer-00000");
      const message = await refused.then(
        () => "nothing",
        (error: Error) => error.message,
      );
      assert.include(message, "403");
    } finally {
      await store.close();
    }
  });
});
