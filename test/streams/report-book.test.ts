import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import type { PartitionReport } from "../../src/actors/ports/backlogs.ts";
import { decodeReport, encodeReport } from "../../src/streams/backlog-reports.ts";
import { ReportBook } from "../../src/streams/report-book.ts";

const reportOf = (epoch: number, millis: number, over: Partial<PartitionReport> = {}): PartitionReport => ({
  partition: 2,
  epoch,
  millis,
  scanned: 5,
  logFirst: 1,
  logLast: 9,
  logBytes: 1_000,
  appendedBytes: 700,
  unscannedBytes: 400,
  oldestMillis: 1_732_000_000_000,
  refusing: ["acme.logs"],
  ...over,
});

describe("reports of owners", () => {
  it("count by epoch first and time second; a repetition is not newer", () => {
    const book = new ReportBook(8);
    assert.isUndefined(book.latest(2));
    assert.isTrue(book.accept(reportOf(3, 100), 1_000));
    assert.isFalse(book.accept(reportOf(3, 100), 1_001));
    assert.isFalse(book.accept(reportOf(3, 99), 1_002));
    assert.isFalse(book.accept(reportOf(2, 5_000), 1_003));
    assert.isTrue(book.accept(reportOf(3, 101), 1_004));
    assert.isTrue(book.accept(reportOf(4, 1), 1_005));
    assert.deepStrictEqual(book.latest(2), { report: reportOf(4, 1), receivedMillis: 1_005 });
  });

  it("with a time in the future silence their owner for 5 s at most, and no owner of an older epoch speaks", () => {
    const book = new ReportBook(8);
    book.accept(reportOf(3, 9_999_999), 1_000);
    assert.isFalse(book.accept(reportOf(3, 1_000), 6_000));
    assert.isFalse(book.accept(reportOf(2, 1_000), 60_000));
    assert.isTrue(book.accept(reportOf(3, 6_001), 6_001));
    assert.isTrue(book.accept(reportOf(3, 6_002), 6_002));
  });

  it("of partitions that there are not are nobody's", () => {
    const book = new ReportBook(2);
    assert.isFalse(book.accept(reportOf(1, 1), 1));
    assert.isUndefined(book.latest(2));
  });

  it("end at the newest epoch, and in it at a newest time, in whatever order they come", () => {
    const reports = fc.array(fc.tuple(fc.nat(4), fc.nat(50)), { minLength: 1 });
    fc.assert(
      fc.property(reports, (all) => {
        const book = new ReportBook(8);
        for (const [epoch, millis] of all) book.accept(reportOf(epoch, millis), 1_000);
        const epoch = Math.max(...all.map(([each]) => each));
        const millis = Math.max(...all.filter(([each]) => each === epoch).map(([, at]) => at));
        assert.deepStrictEqual(book.latest(2)!.report, reportOf(epoch, millis));
      }),
    );
  });

  it("survive the way as bytes; what is damaged or not ours is nothing", () => {
    for (const report of [reportOf(1, 1.5), reportOf(2, 2, { oldestMillis: undefined, refusing: [] })]) {
      assert.deepStrictEqual(decodeReport(encodeReport(report)), report);
    }
    const good = encodeReport(reportOf(1, 1));
    for (const bad of [Buffer.alloc(0), Buffer.from("nonsense"), good.subarray(0, good.length - 3)]) {
      assert.isUndefined(decodeReport(bad));
    }
    assert.isUndefined(decodeReport(encodeReport(reportOf(1, 1, { partition: -1 }))));
    assert.isUndefined(decodeReport(encodeReport(reportOf(1, 1, { unscannedBytes: -5 }))));
  });
});
