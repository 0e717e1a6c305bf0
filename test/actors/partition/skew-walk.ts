import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import { CheckpointUnavailable, type Receipt, type Row } from "../../../src/actors/ports/checkpoints.ts";
import type { JobSet } from "../../../src/actors/ports/jobs.ts";
import type { LogMessage } from "../../../src/actors/ports/log.ts";
import { jobSetOf, quiet, storedJob } from "../../support/world.ts";
import { Dice } from "../../simulation/dice.ts";
import { registerOf } from "./partition-fixture.ts";
import { logUnder, ownerOf } from "./skew-owner.ts";

const names = ["ant-0", "ant-1"];
const stored = new Map(names.map((id) => [id, storedJob(id, "ant")]));

export interface WalkOptions {
  readonly steps: number;
  /** What is taken away to see that the verdicts notice: chunks tell of their set, and a row of earlier lives. */
  readonly without?: "numbers" | "formerLives";
}

/**
 * Owners of one partition, one after the other, of a pair with two jobs that come and go, and chunks that came under
 * sets which they have not adopted yet. Steps are as small as they can be made: a chunk is stored, one more is read, a
 * set is adopted, some rows are written, or the owner is gone.
 */
export class SkewWalk {
  private readonly dice: Dice;
  private readonly options: WalkOptions;
  private readonly trace: Array<string> = [];
  /** What each set has, and which of the jobs that it has not the store says were removed. */
  private readonly sets: Array<ReadonlySet<string>> = [];
  private readonly made = new Map<number, JobSet>();
  private readonly isRemoved = new Map<string, boolean>();
  private readonly log: Array<LogMessage> = [];
  // What is durable.
  private register = registerOf({ receipted: 0 });
  private readonly rows = new Map<string, Row>();
  private readonly receipts = new Map<string, Receipt>();
  private readonly delivered = new Map(names.map((job) => [job, new Set<number>()]));
  // What is not.
  private volatile: Array<{ readonly job: string; readonly sequence: number }> = [];
  private visible: Array<LogMessage> = [];
  private owner = ownerOf(this.visible, [], this.register);
  private adopted = 0;
  private landed = 0;

  constructor(seed: number, options: WalkOptions) {
    this.dice = new Dice(seed);
    this.options = options;
  }

  /** Fails with the way that led there. */
  run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.change();
      this.begin();
      yield* this.adopt(1);
      for (let step = 0; step < this.options.steps; step++) yield* this.step();
      yield* this.end();
      this.judge();
    }).pipe(Effect.provide(quiet));
  }

  private say(what: string): void {
    this.trace.push(what);
  }

  private fail(what: string): never {
    return assert.fail(`${what}\n${this.trace.join("\n")}`);
  }

  /** What a row that was written settles: its own deliveries, and those of lives of its name that it tells of. */
  private apply(): void {
    for (const { receipts, register, rows } of this.owner.written.slice(this.landed)) {
      this.register = register;
      for (const { former = [], ...row } of rows) {
        this.rows.set(row.job, this.options.without === "formerLives" ? row : { ...row, former });
        const settled = row.books.pending.records > 0 ? row.cursor : row.counted;
        const isIn = (sequence: number) =>
          sequence <= settled || former.some(({ counted, start }) => sequence > start && sequence <= counted);
        for (const { job, sequence } of this.volatile)
          if (job === row.job && isIn(sequence)) this.delivered.get(job)!.add(sequence);
        this.volatile = this.volatile.filter(({ job, sequence }) => job !== row.job || !isIn(sequence));
      }
      for (const each of receipts) this.receipts.set(`${each.reason} ${each.job} ${each.firstSequence}`, each);
    }
    this.landed = this.owner.written.length;
  }

  // --- steps ---

  private step(): Effect.Effect<void> {
    const { dice } = this;
    const what = dice.next();
    if (what < 0.3) return Effect.sync(() => this.store());
    if (what < 0.46) return Effect.sync(() => this.change());
    if (what < 0.6) return this.follow();
    if (what < 0.72) return this.readTo(Math.min(this.log.length, this.owner.state.position + dice.int(1, 3)));
    if (what < 0.77) return Effect.sync(() => this.deliver(false));
    if (what < 0.87) return this.write(dice.chance(0.6) ? 1 : 0.5);
    if (what < 0.9) return this.leave();
    if (what < 0.925) return this.rest();
    if (what < 0.93) return TestClock.adjust("11 seconds");
    return this.takeOver();
  }

  /** A forwarder stores a chunk, under whichever set it has; under one without jobs it mostly does not. */
  private store(): void {
    const number = this.dice.chance(0.6) ? this.sets.length : this.dice.int(1, this.sets.length);
    if (this.sets[number - 1]!.size === 0 && this.dice.chance(0.5)) return;
    this.log.push(...logUnder([number], this.log.length));
    this.say(`chunk ${this.log.length} under ${number}`);
  }

  private change(): void {
    const next = new Set(this.sets.at(-1));
    for (const job of this.dice.chance(0.2) ? names : [this.dice.pick(names)]) {
      if (next.delete(job)) this.isRemoved.set(job, this.dice.chance(0.5));
      else next.add(job);
    }
    this.sets.push(next);
    this.say(`set ${this.sets.length} has ${[...next].join(" ")}`);
  }

  private follow(): Effect.Effect<void> {
    const { adopted, dice, sets } = this;
    if (adopted === sets.length) return Effect.void;
    return this.adopt(dice.chance(0.75) ? adopted + 1 : dice.int(adopted + 1, sets.length));
  }

  private adopt(number: number): Effect.Effect<void> {
    this.say(`adopt ${number}`);
    this.adopted = number;
    this.answerAbsences();
    const jobs = [...this.sets[number - 1]!].map((id) => stored.get(id)!);
    const set = this.made.get(number) ?? jobSetOf(jobs, 1, number);
    this.made.set(number, set);
    return this.owner.adopt(set);
  }

  private answerAbsences(): void {
    for (const job of names)
      this.owner.absences[job] = !this.sets.at(-1)!.has(job) && this.isRemoved.get(job) === true ? "removed" : "stored";
  }

  private readTo(sequence: number): Effect.Effect<void> {
    if (sequence <= this.owner.state.position) return Effect.void;
    this.say(`read to ${sequence}`);
    const isNumbered = this.options.without !== "numbers";
    const next = this.log.slice(this.visible.length, sequence);
    this.visible.push(...next.map((message) => (isNumbered ? message : { ...message, jobSet: 0 })));
    return this.owner.read;
  }

  /** As pushes do: some of what is pending, or all of it, from the oldest on. */
  private deliver(all: boolean): void {
    const { dice, log, owner } = this;
    for (const buffer of owner.state.buffers.values()) {
      const { cursor, jobId, ledger, start } = buffer;
      if (buffer.countedBefore > owner.state.position) continue;
      const due = log.slice(Math.max(cursor, start), owner.state.position);
      if (ledger.pendingRecords !== due.length)
        this.fail(`${jobId}: ${ledger.pendingRecords} pending of ${due.length}`);
      if (due.length === 0 || !buffer.newest.job.enabled) continue;
      const some = due.slice(0, all ? due.length : dice.int(1, due.length));
      const to = some.at(-1)!.sequence;
      this.say(`${jobId} delivers to ${to}`);
      buffer.moveCursor(to, "shed", "skipped", { records: some.length, bytes: some.length * 10 }, 0);
      this.volatile.push(...some.map(({ sequence }) => ({ job: jobId, sequence })));
    }
  }

  private write(share: number): Effect.Effect<void> {
    const { dice, owner } = this;
    const rows = [...owner.state.rowed()].filter(() => dice.chance(share));
    const lands = dice.chance(0.85);
    this.say(`write ${rows.map(({ jobId }) => jobId).join(" ")}, lands: ${lands}`);
    const { length } = owner.written;
    if (!lands) owner.willAnswer(Effect.fail(new CheckpointUnavailable({ partition: 0, detail: "scripted" })));
    return Effect.map(Effect.orDie(checkpoint(owner.state, "me", rows)), () => {
      owner.willAnswer(Effect.void);
      if (!lands) owner.written.splice(length);
      this.apply();
    });
  }

  private leave(): Effect.Effect<void> {
    this.say("leave");
    this.answerAbsences();
    return this.owner.leave;
  }

  /** Long enough for who is quiescent to hibernate. */
  private rest(): Effect.Effect<void> {
    this.say("rest");
    return this.owner.reap.pipe(Effect.andThen(TestClock.adjust("2 seconds")), Effect.andThen(this.owner.reap));
  }

  private begin(): void {
    this.visible = this.log.slice(0, this.register.scan);
    this.owner = ownerOf(this.visible, [...this.rows.values()], this.register);
    this.volatile = [];
    this.landed = 0;
  }

  /** By who has a set that is as new as that of the register, or newer. */
  private takeOver(): Effect.Effect<void> {
    this.say(`taken over, scan ${this.register.scan}`);
    this.begin();
    const least = Math.max(1, this.register.snapshot);
    return this.adopt(this.dice.chance(0.6) ? least : this.dice.int(least, this.sets.length));
  }

  // --- the end ---

  /** Everything is read, adopted, delivered and written. */
  private end(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (this.adopted < this.sets.length) yield* this.adopt(this.sets.length);
      yield* this.readTo(this.log.length);
      yield* this.leave();
      this.sets.push(this.sets.at(-1)!);
      yield* this.adopt(this.sets.length);
      this.deliver(true);
      yield* this.leave();
      yield* Effect.orDie(checkpoint(this.owner.state, null, this.owner.state.rowed()));
      this.apply();
    });
  }

  private judge(): void {
    const held = new Map(names.map((job) => [job, this.heldOf(job)]));
    const isSomebodys = (sequence: number) =>
      names.some((job) => held.get(job)!.has(sequence) || this.delivered.get(job)!.has(sequence));
    const nobodys = this.log.filter(({ sequence }) => !isSomebodys(sequence)).map(({ sequence }) => sequence);
    const unclaimed = [...this.receipts.values()].filter(({ reason }) => reason === "unclaimed");
    const told = unclaimed.reduce((sum, { records }) => sum + records, 0);
    if (told !== nobodys.length) this.fail(`${told} on receipts of what is nobody's, and that is ${nobodys.join(" ")}`);
    for (const job of names) {
      const missed = this.log.filter(
        (message) => this.isDue(job, message) && !this.delivered.get(job)!.has(message.sequence),
      );
      const lost = missed.filter(({ sequence }) => !this.isPending(job, sequence));
      if (lost.length > 0)
        this.fail(`${job} was due and has not got ${lost.map(({ sequence }) => sequence).join(" ")}`);
    }
  }

  /** It was in the set of the forwarder, and in all since. */
  private isDue(job: string, { jobSet }: LogMessage): boolean {
    return this.sets.slice(jobSet - 1).every((set) => set.has(job));
  }

  /** At the end it had no place. */
  private isPending(job: string, sequence: number): boolean {
    const row = this.pendingRow(job);
    return row !== undefined && sequence > row.cursor;
  }

  private pendingRow(job: string): Row | undefined {
    const row = this.rows.get(job);
    return row?.deleted === false && row.books.pending.records > 0 ? row : undefined;
  }

  /** On receipts of a job, or pending: each once, and not delivered as well. */
  private heldOf(job: string): ReadonlySet<number> {
    const held = new Set<number>();
    const hold = (from: number, to: number, records: number, what: string) => {
      const within = this.log.slice(from - 1, to);
      if (within.length !== records) this.fail(`${job}: ${what} of ${from} to ${to} is of ${records}`);
      for (const { sequence } of within) {
        if (held.has(sequence) || this.delivered.get(job)!.has(sequence)) this.fail(`${job}: ${sequence} twice`);
        held.add(sequence);
      }
    };
    for (const { firstSequence, job: of, lastSequence, reason, records } of this.receipts.values())
      if (of === job) hold(firstSequence, lastSequence, records, `receipt, ${reason},`);
    const row = this.pendingRow(job);
    if (row !== undefined) hold(row.cursor + 1, row.counted, row.books.pending.records, "pending");
    return held;
  }
}
