import { assert, it } from "@effect/vitest";
import * as fc from "fast-check";
import { idPattern } from "../../src/domain/ids.ts";
import { makePair } from "../../src/domain/partition.ts";
import * as subjects from "../../src/streams/subjects.ts";

const ids = fc.stringMatching(idPattern);
const partitions = fc.integer({ min: 0, max: 1_023 });

const inside = (subject: string, filter: string) => subject.startsWith(filter.slice(0, -1));

it("finds the pair in the subject that was made of it, whatever the ids", () => {
  fc.assert(
    fc.property(ids, ids, partitions, (customer, dataset, partition) => {
      const { key } = makePair(customer, dataset, 8);
      assert.strictEqual(subjects.pairKeyOf(subjects.chunkSubject(partition, key)), key);
    }),
  );
});

it("tells our own subjects from pairs", () => {
  assert.isUndefined(subjects.pairKeyOf(subjects.muxSubject(7)));
  assert.isUndefined(subjects.pairKeyOf(subjects.tickSubject(7)));
});

it("tells the kinds of control subjects apart, whatever the job's id", () => {
  fc.assert(
    fc.property(ids, partitions, (job, partition) => {
      assert.strictEqual(subjects.controlKindOf(subjects.registerSubject(partition)), "register");
      assert.strictEqual(subjects.controlKindOf(subjects.rowSubject(partition, job)), "job");
      assert.strictEqual(subjects.controlKindOf(subjects.receiptSubject(partition, job, 12, "shed")), "receipt");
    }),
  );
});

it("keeps every subject of a partition inside what its stream takes, and no other partition's", () => {
  fc.assert(
    fc.property(ids, ids, partitions, partitions, (customer, dataset, one, other) => {
      fc.pre(one !== other);
      const { key } = makePair(customer, dataset, 8);
      for (const subject of [subjects.chunkSubject(one, key), subjects.muxSubject(one), subjects.tickSubject(one)]) {
        assert.isTrue(inside(subject, subjects.logSubjects(one)));
        assert.isFalse(inside(subject, subjects.logSubjects(other)));
      }
      for (const subject of [
        subjects.registerSubject(one),
        subjects.rowSubject(one, customer),
        subjects.receiptSubject(one, customer, 1, "shed"),
      ]) {
        assert.isTrue(inside(subject, subjects.controlSubjects(one)));
        assert.isFalse(inside(subject, subjects.controlSubjects(other)));
      }
    }),
  );
});
