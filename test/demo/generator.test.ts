import { assert, describe, it } from "vitest";
import { planBodies } from "../../demo/generator/body-plan.ts";
import { rayIds } from "../../demo/generator/ray-id.ts";
import { RequestLog } from "../../demo/generator/request-log.ts";

const linesOf = (body: Buffer) => body.toString("utf8").trimEnd().split("\n");
const bodyOf = (seed: number, first: number) => new RequestLog({ seed, customerField: false }).body(first, 500);
const parse = (line: string) => JSON.parse(line) as Record<string, unknown>;

const fields = [
  "RayID",
  "EdgeStartTimestamp",
  "ClientIP",
  "ClientRequestHost",
  "ClientRequestMethod",
  "ClientRequestURI",
  "ClientRequestProtocol",
  "ClientRequestReferer",
  "ClientRequestUserAgent",
  "EdgeResponseStatus",
  "EdgeResponseBytes",
];

describe("RequestLog", () => {
  it("writes one JSON object per line with the fields of the example data and 19-digit timestamps that rise", () => {
    const body = new RequestLog({ seed: 3, customerField: false }).body(0, 2_000);
    assert.strictEqual(body.at(-1), 10);
    let before = "";
    for (const line of linesOf(body)) {
      assert.deepStrictEqual(Object.keys(parse(line)), fields);
      const [, timestamp = ""] = /"EdgeStartTimestamp":(\d+),/.exec(line) ?? [];
      assert.strictEqual(timestamp.length, 19);
      assert.isTrue(timestamp > before, `${timestamp} after ${before}`);
      before = timestamp;
    }
  });

  it("has records of 488 bytes on average, with and without the customer field", () => {
    for (const customerField of [false, true]) {
      for (const seed of [0, 1, 99]) {
        const log = new RequestLog({ seed, customerField });
        const bytes = Array.from({ length: 20 }, (_, at) => log.body(at * 1_000, 1_000).length);
        assert.closeTo(bytes.reduce((sum, each) => sum + each) / 20_000, 488, 488 * 0.05);
      }
    }
  });

  it("gives the same bytes for the same seed and place, and others for another seed", () => {
    assert.isTrue(bodyOf(5, 1_000).equals(bodyOf(5, 1_000)));
    assert.isFalse(bodyOf(5, 1_000).equals(bodyOf(6, 1_000)));
    assert.isFalse(bodyOf(5, 1_000).equals(bodyOf(5, 2_000)));
  });

  it("gives each record an id of its own that tells its index", () => {
    const log = new RequestLog({ seed: 7, customerField: false });
    const ids = [0, 70_000].flatMap((first) =>
      linesOf(log.body(first, 5_000)).map((line) => String(parse(line)["RayID"])),
    );
    assert.strictEqual(new Set(ids).size, 10_000);
    assert.strictEqual(log.rayIds.read(Buffer.from(ids[4_321] as string), 0), 4_321);
    assert.strictEqual(log.rayIds.read(Buffer.from(ids[5_000] as string), 0), 70_000);
  });

  it("names the customer of each record in mixed bodies", () => {
    const log = new RequestLog({ seed: 7, customerField: true });
    const customers = linesOf(log.body(100, 300, (index) => index % 7)).map((line) => parse(line)["Customer"]);
    assert.deepStrictEqual(
      customers,
      Array.from({ length: 300 }, (_, at) => `customer-0000${(100 + at) % 7}`),
    );
  });
});

describe("rayIds", () => {
  it("knows neither another seed's ids, nor damaged ones, nor what is no id", () => {
    const target = Buffer.alloc(16);
    for (const index of [0, 1, 65_535, 0x7fff_ffff, 0xffff_ffff]) {
      rayIds(1).write(index, target, 0);
      assert.strictEqual(rayIds(1).read(target, 0), index);
      assert.isUndefined(rayIds(2).read(target, 0));
      target[3] = target[3] === 48 ? 49 : 48;
      assert.isUndefined(rayIds(1).read(target, 0));
    }
    assert.isUndefined(rayIds(1).read(Buffer.from("3d6b7676f906b14"), 0));
    assert.isUndefined(rayIds(1).read(Buffer.from("no hex digits!!!"), 0));
  });
});

const options = { seed: 1, records: 20_000, customers: 30, bodyRecordsMax: 1_000 };
const plan = (seed: number) => planBodies({ ...options, seed, distribution: "skewed" });

describe("planBodies", () => {
  for (const distribution of ["uniform", "skewed"] as const) {
    it(`gives every index to one body, and every customer something (${distribution})`, () => {
      const bodies = planBodies({ ...options, distribution });
      let next = 0;
      for (const { first, records } of bodies) {
        assert.strictEqual(first, next);
        assert.isTrue(records > 0 && records <= 1_000);
        next += records;
      }
      assert.strictEqual(next, 20_000);
      assert.strictEqual(new Set(bodies.map(({ customer }) => customer)).size, 30);
    });
  }

  it("is the same for the same seed, and another for another", () => {
    assert.deepStrictEqual(plan(4), plan(4));
    assert.notDeepEqual(plan(4), plan(5));
  });

  it("leaves customers without records when there are too few", () => {
    const bodies = planBodies({ ...options, records: 5, distribution: "uniform" });
    assert.strictEqual(bodies.length, 5);
  });
});
