import { Result } from "effect";
import { assert } from "vitest";
import { briefsOf, type JobSet } from "../../../src/actors/ports/jobs.ts";
import { decodeManifest, type Manifest } from "../../../src/snapshot/manifest.ts";
import { decodeSegment, type SnapshotEntry } from "../../../src/snapshot/segment.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import type { ClusterNode } from "./cluster-node.ts";
import type { RolloutWorld } from "./rollout-world.ts";
import type { Order } from "./scripted-jobs.ts";

/** A snapshot as its judge has read it. */
interface Read {
  readonly manifest: Manifest;
  readonly hash: string;
  readonly entries: ReadonlyMap<string, SnapshotEntry>;
  readonly enabled: ReadonlySet<string>;
}

interface Seen {
  readonly run: number;
  readonly read: Read;
  /** Looked at already. */
  set?: JobSet;
}

/** Numbers that one rollout may use beyond that of its target. */
const numbersOfOne = 8;

/**
 * Judges everything that a node serves by what people ordered, knowing nothing of what generator and gates found. Asked
 * at any moment, it throws with what is wrong.
 */
export class RolloutVerdicts {
  private readonly world: RolloutWorld;
  private readonly seen = new Map<string, Seen>();
  private readonly segments = new Map<string, ReadonlyArray<SnapshotEntry>>();
  private ordersRead = 0;
  private readonly orders = new Map<string, Map<number, Order>>();
  private readonly customers = new Set<string>();
  readonly counts = {
    adopted: 0,
    rolledBack: 0,
    staged: 0,
    refused: 0,
    fromDisk: 0,
    removed: 0,
    accepted: 0,
    caughtUp: 0,
    missedRollback: 0,
  };
  private readonly refusals = new Set<string>();
  private wrong: unknown;

  constructor(world: RolloutWorld) {
    this.world = world;
    world.beforeOffer = () => this.lookEarly();
  }

  look(): void {
    this.lookEarly();
    if (this.wrong !== undefined) throw this.wrong;
  }

  /** From within a node, which would take what is wrong for a failure of its own. */
  private lookEarly(): void {
    try {
      this.readOrders();
      for (const node of this.world.nodes) this.lookAt(node);
    } catch (wrong) {
      this.wrong ??= wrong;
    }
  }

  private readOrders(): void {
    const { orders } = this.world.jobs;
    for (; this.ordersRead < orders.length; this.ordersRead++) {
      const order = orders[this.ordersRead]!;
      const ofJob = this.orders.get(order.id) ?? new Map<number, Order>();
      this.orders.set(order.id, ofJob.set(order.revision, order));
      if (order.job !== undefined) this.customers.add(order.job.customer);
    }
  }

  private lookAt(node: ClusterNode): void {
    const { process } = node;
    if (process === undefined) return;
    const before = this.seen.get(node.name);
    const isRestarted = before !== undefined && before.run !== node.runs;
    const current = process.configuration.serving.current();
    if (current === undefined) {
      assert.isUndefined(before, `${node.name} serves nothing, and served ${before?.read.manifest.number} before`);
      return;
    }
    const refused = process.configuration.follower.refused();
    if (refused !== undefined && !this.refusals.has(refused.hash)) {
      this.refusals.add(refused.hash);
      this.counts.refused += 1;
    }
    if (before?.read.hash !== current.hash) this.judge(node, current, isRestarted ? undefined : before?.read);
    else if (isRestarted) this.seen.set(node.name, { run: node.runs, read: before.read });
    if (isRestarted) this.counts.fromDisk += 1;
    this.lookAtSet(node);
  }

  private judge(node: ClusterNode, current: Snapshot, before: Read | undefined): void {
    const read = this.read(current);
    const what = `${node.name} serves ${read.manifest.number} (${read.manifest.reason})`;
    this.assertOrdered(read, what);
    this.assertNotEmpty(read, what);
    if (before === undefined) {
      assert.isAtLeast(read.manifest.number, node.beganWith, `${what}: its disk had more`);
    } else {
      assert.isAbove(read.manifest.number, before.manifest.number, `${what}: back in time`);
      this.assertStepFrom(before, read, what);
      this.counts.adopted += 1;
    }
    if (read.manifest.rollbackOf !== undefined) {
      this.assertIsRollback(read, what);
      this.counts.rolledBack += 1;
    }
    this.counts.staged += this.world.snapshots.pointerNow()?.watch === undefined ? 0 : 1;
    this.seen.set(node.name, { run: node.runs, read });
  }

  private read(snapshot: Snapshot): Read {
    const entries = new Map<string, SnapshotEntry>();
    for (const mark of snapshot.manifest.segments) {
      const known = this.segments.get(mark.hash) ?? Result.getOrThrow(decodeSegment(snapshot.blob(mark.hash)!, mark));
      this.segments.set(mark.hash, known);
      for (const entry of known) entries.set(entry.id, entry);
    }
    const enabled = new Set([...entries.values()].flatMap(({ id, state }) => (state === "enabled" ? [id] : [])));
    return { manifest: snapshot.manifest, hash: snapshot.hash, entries, enabled };
  }

  /** Each job is as somebody ordered it at the revision that it names; nobody is a customer who never was one. */
  private assertOrdered({ entries }: Read, what: string): void {
    for (const { customer, data, id, revision, state } of entries.values()) {
      const order = this.orders.get(id)?.get(revision);
      assert.isDefined(order, `${what}: nobody ordered ${id} at revision ${revision} (${state})`);
      if (state === "removed") {
        assert.isUndefined(order.job, `${what}: ${id} was not removed at ${revision}`);
        continue;
      }
      assert.isDefined(order.job, `${what}: ${id} was removed at ${revision}`);
      assert.strictEqual(state, order.job.enabled ? "enabled" : "disabled", `${what}: ${id} at ${revision}`);
      assert.strictEqual(Buffer.compare(data, order.data), 0, `${what}: ${id} at ${revision} was ordered otherwise`);
      assert.isTrue(this.customers.has(customer), `${what}: ${customer} is nobody's customer`);
      // Inside of the own network nothing is delivered, whoever orders it.
      assert.isFalse(state === "enabled" && order.job.destination.kind === "http", `${what}: ${id} goes inside`);
    }
  }

  private assertNotEmpty({ enabled }: Read, what: string): void {
    assert.isAbove(enabled.size, 0, `${what}: nothing`);
  }

  /** Whoever is delivered no more, or as earlier, is so because of an order, or because everything went back. */
  private assertStepFrom(before: Read, now: Read, what: string): void {
    const { rollbackOf } = now.manifest;
    const hasMissedRollback = this.wentBackBetween(before, now);
    if (rollbackOf === undefined && hasMissedRollback) this.counts.missedRollback += 1;
    let stopped = 0;
    for (const [id, was] of before.entries) {
      const is = now.entries.get(id);
      if (was.state === "enabled" && is?.state !== "enabled") stopped += 1;
      if (rollbackOf !== undefined || hasMissedRollback) continue;
      assert.isDefined(is, `${what}: ${id} is gone, and nobody removed it`);
      assert.isAtLeast(is.revision, was.revision, `${what}: ${id} is back at an earlier revision`);
    }
    this.counts.removed += stopped;
    if (!this.isMuch(stopped, before)) return;
    this.counts.accepted += 1;
    if (rollbackOf === undefined && !this.isAccepted(now)) this.assertCameInSteps(before, now, what);
  }

  /** All were told to go back while this one was away: it goes over that too. */
  private wentBackBetween({ manifest: { number: from } }: Read, { manifest: { number: to } }: Read): boolean {
    return this.world.snapshots.everTold.some(
      ({ number }) => number > from && number < to && this.storedManifest(number)?.rollbackOf !== undefined,
    );
  }

  private isMuch(stopped: number, before: Read): boolean {
    const { servedRemovedPercentMax, smallChangeJobsMax } = this.world.limits;
    return stopped > smallChangeJobsMax && stopped * 100 > servedRemovedPercentMax * before.enabled.size;
  }

  /** One that was away may find much gone at once: of what the others were told meanwhile, nothing took away much. */
  private assertCameInSteps(before: Read, now: Read, what: string): void {
    this.counts.caughtUp += 1;
    let from = before;
    for (const { hash, number } of this.world.snapshots.everTold) {
      if (number <= from.manifest.number || number > now.manifest.number) continue;
      const manifest = this.storedManifest(number)!;
      const to = this.read({ manifest, hash, blob: (name) => this.world.snapshots.everBlobs.get(name) });
      const stopped = [...from.enabled].filter((id) => !to.enabled.has(id)).length;
      const isOrdered = manifest.rollbackOf !== undefined || this.isAccepted(to);
      assert.isTrue(isOrdered || !this.isMuch(stopped, from), `${what}: ${stopped} stopped in ${number}, unaccepted`);
      from = to;
    }
    assert.strictEqual(from.hash, now.hash, `${what}: nobody was told to`);
  }

  /** Itself, or what it is a step to. */
  private isAccepted({ hash, manifest }: Read): boolean {
    const { accepted, snapshots } = this.world;
    if (accepted.has(hash)) return true;
    for (let number = manifest.number - 1; number >= manifest.number - numbersOfOne; number--) {
      const encoded = snapshots.everStored.get(number);
      if (encoded !== undefined && accepted.has(Buffer.from(encoded.subarray(0, 32)).toString("hex"))) return true;
    }
    return false;
  }

  /** Each segment is as in the snapshot that it says it brings back, or, on the way, as in the one before. */
  private assertIsRollback({ manifest }: Read, what: string): void {
    const back = this.storedManifest(manifest.rollbackOf!);
    const from = this.storedManifest(manifest.previous);
    assert.isDefined(back, `${what}: ${manifest.rollbackOf} never was`);
    for (const [segment, { hash }] of manifest.segments.entries()) {
      const isBack = hash === back.segments[segment]!.hash || hash === from?.segments[segment]!.hash;
      assert.isTrue(isBack, `${what}: segment ${segment} is not of ${manifest.rollbackOf}`);
    }
    const wasTold = this.world.snapshots.everTold.some(({ number }) => number === manifest.rollbackOf);
    assert.isTrue(wasTold, `${what}: ${manifest.rollbackOf} was never in force`);
  }

  private storedManifest(number: number): Manifest | undefined {
    const encoded = this.world.snapshots.everStored.get(number);
    return encoded === undefined ? undefined : Result.getOrThrow(decodeManifest(encoded));
  }

  /** What forwarders and owners act on is what this node's snapshot has enabled: not more, not less. */
  private lookAtSet({ name, process }: ClusterNode): void {
    const set = process!.jobs.served();
    const seen = this.seen.get(name)!;
    const { read } = seen;
    if (set === seen.set || set.number !== read.manifest.number) return;
    seen.set = set;
    const enabled = new Set<string>();
    for (const [id, brief] of briefsOf(set)) if (brief.enabled) enabled.add(id);
    assert.deepStrictEqual([...enabled].toSorted(), [...read.enabled].toSorted(), `${name} acts on another set`);
    for (const { customer } of set.pairs.values())
      assert.isTrue(this.customers.has(customer), `${name} lets ${customer} in`);
  }

  /** Why what this node serves is not what the store has; empty: it is. */
  differences({ name, process }: ClusterNode): string {
    if (process === undefined) return `${name} does not run`;
    const current = process.configuration.serving.current();
    if (current === undefined) return `${name} serves nothing`;
    const { entries } = this.read(current);
    for (const { id, job, revision } of this.world.jobs.newest.values()) {
      const served = entries.get(id);
      if (served === undefined ? job !== undefined : served.revision !== revision)
        return `${name} serves ${id} at ${served?.revision} in ${current.manifest.number}, ordered was ${revision}`;
    }
    const set = process.jobs.served();
    return set.number === current.manifest.number ? "" : `${name} acts on ${set.number}`;
  }
}
