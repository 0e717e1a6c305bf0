import { assert } from "vitest";
import type { Owner } from "../../../src/actors/owner.ts";
import { pairKey, partitionOf } from "../../../src/domain/partition.ts";
import { assertAccounted, assertBooksBalance, assertStoredIsWhole } from "../verdicts.ts";
import { customers, dataset, type NodeWorld } from "./node-world.ts";

/**
 * What a whole node has promised (docs/SPEC.md §5), checked in a world in which everything around it is scripted.
 *
 * I3 records that nobody ordered leave nothing: `assertAtAnyMoment` in memory, `assertEnd` in the logs.
 * I4 bounds hold: residents here, backlogs in `assertQuotasHold`.
 * I5 the books balance at any moment, in memory and stored, and receipts cover what was not delivered:
 *    `assertAtAnyMoment`, `watchStored`, `assertEnd`.
 * I7 after the trouble everything drains by itself: the end of `simulateNode`.
 * I8 bad destinations and backlogs over their quotas are their owners' alone: `assertIsolated`.
 * I10, I11 whoever was fenced changes nothing, and one batch id has one content: `watchStored`, `assertEnd`.
 * And a 200 says that it is on disk: `assertAcknowledgedIsStored`. I6 takes a
 * thread and is tested with one; I12 is the machine's own.
 */
export const assertAtAnyMoment = (world: NodeWorld, owner: Owner["Service"]): void => {
  assertBooksBalance(world, owner);
  for (const residency of world.residencies)
    assert.isAtMost(residency.size, world.limits.residentBuffersMax, "buffers with an actor");
  const pairs = new Set(world.jobs.byPair.keys());
  for (const [partition, { state }] of owner.owned()) {
    for (const { pairKey: key } of [...state.buffers.values(), ...state.waitingBuffers.values(), ...state.rows]) {
      assert.isTrue(pairs.has(key), `nobody has ordered ${key}`);
      const [customer = "", name = ""] = key.split(".");
      assert.strictEqual(partitionOf(customer, name, world.logs.length), partition, `${key} is of another partition`);
    }
  }
};

/** After each write of a control stream: enough is durable to go on from. */
export const watchStored = (world: NodeWorld): void => {
  for (const [partition, checkpoints] of world.checkpoints.entries()) {
    const jobs = [...world.jobs.byId.values()].filter(
      ({ job }) => partitionOf(job.customer, job.dataset, world.logs.length) === partition,
    );
    // Kept, not thrown: a thrown one would only end the owner's loop.
    checkpoints.onWrite = () => {
      try {
        assertStoredIsWhole({ log: world.log, checkpoints }, jobs);
      } catch (error) {
        world.failures.push(error);
      }
    };
  }
};

/** Longest batch interval of the world, retries of nothing, a sweep and a checkpoint: more than anybody well needs. */
const lagMillisMax = 15_000;

/** How old the oldest record is that a customer still waits for, by the log's own time. */
export const lagMillisOf = (world: NodeWorld, owner: Owner["Service"], customer: string): number => {
  const key = pairKey(customer, dataset);
  const log = world.logOf(key);
  const state = owner.owned().get(world.logs.indexOf(log))!.state;
  const here = [...state.buffers.values(), ...state.waitingBuffers.values()].filter(({ pairKey: of }) => of === key);
  const newest = log.messages.at(-1)?.millis ?? 0;
  return here.reduce((most, { pendingSinceMillis }) => Math.max(most, newest - (pendingSinceMillis ?? newest)), 0);
};

/** While others' destinations are ill: who is well is not refused, and gets its logs. */
export const assertIsolated = (
  world: NodeWorld,
  owner: Owner["Service"],
  refusedBefore: ReadonlyMap<string, number>,
): void => {
  for (const customer of customers.good) {
    const refused = (world.refusals.overQuota.get(customer) ?? 0) - (refusedBefore.get(customer) ?? 0);
    assert.strictEqual(refused, 0, `${customer} is well and within its quota, and was refused`);
    assert.isAtMost(lagMillisOf(world, owner, customer), lagMillisMax, `${customer} lags`);
  }
};

/**
 * What comes to two jobs of a customer in the time that it takes to find out, to report it, and to wait for an attempt
 * that hangs: a batch in flight cannot be given up.
 */
const quotaMercyBytes = 6_000;

/** I4: who is over its quota is refused at the door, or gives up its oldest; either way it takes no more of the log. */
export const assertQuotasHold = (world: NodeWorld, owner: Owner["Service"]): void => {
  for (const customer of customers.bad) {
    let pending = 0;
    for (const { state } of owner.owned().values()) {
      for (const buffer of state.buffers.values())
        if (buffer.newest.job.customer === customer) pending += buffer.ledger.pendingBytes;
      for (const buffer of state.waitingBuffers.values())
        if (buffer.pairKey === pairKey(customer, dataset)) pending += buffer.pendingBytes;
    }
    const { backlogBytesPerCustomerMax } = world.limits;
    assert.isAtMost(pending, backlogBytesPerCustomerMax + quotaMercyBytes, `${customer}: bytes pending`);
  }
};

export const assertEnd = (world: NodeWorld): void => {
  for (const checkpoints of world.checkpoints) {
    assert.strictEqual(checkpoints.register?.owner, null);
    assertAccounted({ checkpoints, letters: world.letters, log: world.log, store: world.store });
  }
  for (const { messages } of world.logs) {
    for (const { chunks } of messages)
      for (const { pairKey: key } of chunks) assert.isTrue(world.jobs.pairs.has(key), `${key} is in the log`);
  }
};

/** An answer of 200 says that it is on disk. */
export const assertAcknowledgedIsStored = (world: NodeWorld, key: string, customer: string): void => {
  const stored = new Set(
    world.log.referenceFor(key, 0).own.flatMap(({ raw }) => Buffer.from(raw).toString().split("\n")),
  );
  for (const line of world.acknowledged.get(customer) ?? [])
    assert.isTrue(stored.has(line), `${line} was acknowledged and is not in the log`);
};
