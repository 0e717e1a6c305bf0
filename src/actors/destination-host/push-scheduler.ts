import type { PushOutcome } from "../../domain/push-outcome.ts";
import { evidenceOf } from "./evidence.ts";
import { DestinationHost, firstsInRowMax, type HostOptions, type HostReport } from "./host.ts";
import type { PriorityHeap } from "./priority-heap.ts";
import { ReadyHosts } from "./ready-hosts.ts";
import { type PlaceRequest, type Pool, PushTicket } from "./ticket.ts";
import { TicketList } from "./ticket-list.ts";

export interface SchedulerOptions extends HostOptions {
  readonly pushesInFlightMax: number;
  readonly slowPushesInFlightMax: number;
  readonly pushSlowMillis: number;
  /** `fifo` is what the fairness benchmark is compared with. */
  readonly order: "fair" | "fifo";
}

/** What the scheduler may not ask for itself. */
export interface SchedulerWorld {
  /** Of a clock that nobody sets. */
  readonly nowMillis: () => number;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  /** Calls `run` once after so many milliseconds. Answers how not to. */
  readonly after: (millis: number, run: () => void) => () => void;
}

/** Longer pauses are answered, not waited for: who waits holds a batch in memory. */
const waitMillisMax = 1_000;
/** A host that nobody pushes to is forgotten, and so is a job that no longer comes. */
const idleMillisMax = 300_000;
const forgetMillis = 60_000;

/**
 * Gives pushes their places: start-time fair queueing by bytes and weight among the jobs of a host and, where the
 * node's own places are short, among all jobs; a window, a circuit and pauses per host. No host may hold more places
 * than are free, a reserve left out, or one; and whoever hangs is moved to places where only the slow are in each
 * other's way.
 *
 * Every operation is O(log n) in what waits, and none waits: all of it runs on one thread.
 */
export class PushScheduler {
  private readonly options: SchedulerOptions;
  private readonly world: SchedulerWorld;
  private readonly hosts = new Map<string, DestinationHost>();
  private readonly free: Record<Pool, number>;
  /** The last quarter is for hosts that hold none: many that hang together must not have all places. */
  private readonly reserve: Readonly<Record<Pool, number>>;
  /** Hosts that may push but for a place: those with first tries, and those that have retries only. */
  private readonly ready = {
    fast: { firsts: new ReadyHosts(), retries: new ReadyHosts() },
    slow: { firsts: new ReadyHosts(), retries: new ReadyHosts() },
  };
  private readonly paused = new Set<DestinationHost>();
  /** Of the first of them to end, or earlier. */
  private pauseEndsMillis = Infinity;
  /** Among the fast, the oldest first. */
  private readonly aging = new TicketList();
  private forgetAtMillis = 0;
  private virtual = 0;
  private firstsInRow = 0;
  private count = 0;
  private isGranting = false;
  private wake: { readonly atMillis: number; readonly cancel: () => void } | undefined;
  waiting = 0;

  constructor(options: SchedulerOptions, world: SchedulerWorld) {
    this.options = options;
    this.world = world;
    this.free = { fast: options.pushesInFlightMax, slow: options.slowPushesInFlightMax };
    this.reserve = { fast: this.free.fast >> 2, slow: this.free.slow >> 2 };
  }

  /** Calls `begin` of the request when there is a place for it, or `refuse`; now or later. */
  enter(request: PlaceRequest): PushTicket {
    const nowMillis = this.world.nowMillis();
    const host = this.hostOf(request.host, nowMillis);
    const share = host.shareOf(request.job, nowMillis);
    host.hear(share, nowMillis);
    const ticket = new PushTicket(request, host, share, (this.count += 1), nowMillis);
    const isFair = this.options.order === "fair";
    if (isFair) {
      ticket.hostTag = Math.max(host.virtual, share.hostTag);
      ticket.nodeTag = Math.max(this.virtual, share.nodeTag);
    }
    this.queueOf(ticket).add(ticket);
    this.waiting += 1;
    this.place(host, nowMillis);
    this.grant(nowMillis);
    return ticket;
  }

  /** The push has its outcome; undefined: it was interrupted, or never really begun. */
  leave(ticket: PushTicket, outcome: PushOutcome | undefined): void {
    const { host, state } = ticket;
    if (state !== "fast" && state !== "slow") return;
    const nowMillis = this.world.nowMillis();
    if (outcome === undefined) {
      host.abandon(ticket, nowMillis);
    } else {
      const evidence = evidenceOf(outcome);
      const retryAfterMillis = outcome._tag === "Deferred" ? outcome.retryAfterMillis : undefined;
      host.wasSlow = evidence === "silent" || nowMillis - ticket.beganMillis >= this.options.pushSlowMillis;
      host.judge(ticket, evidence, retryAfterMillis, nowMillis, this.world.jitter());
    }
    ticket.state = "done";
    this.aging.remove(ticket);
    this.giveBack(host, state);
    this.place(host, nowMillis);
    this.grant(nowMillis);
  }

  /** Takes a push that still waits out of the queue. */
  cancel(ticket: PushTicket): void {
    if (ticket.state !== "waiting") return;
    this.dequeue(ticket);
    const nowMillis = this.world.nowMillis();
    this.place(ticket.host, nowMillis);
    this.grant(nowMillis);
  }

  inUse(pool: Pool): number {
    const { pushesInFlightMax, slowPushesInFlightMax } = this.options;
    return (pool === "fast" ? pushesInFlightMax : slowPushesInFlightMax) - this.free[pool];
  }

  get known(): ReadonlyMap<string, DestinationHost> {
    return this.hosts;
  }

  /** At most so many, those in trouble first. */
  report(hostsMax: number): ReadonlyArray<HostReport> {
    const nowMillis = this.world.nowMillis();
    return [...this.hosts.values()]
      .map((host) => host.report(nowMillis))
      .toSorted((a, b) => trouble(b) - trouble(a) || b.waiting - a.waiting || (a.host < b.host ? -1 : 1))
      .slice(0, hostsMax);
  }

  private hostOf(name: string, nowMillis: number): DestinationHost {
    if (nowMillis >= this.forgetAtMillis) this.forget(nowMillis);
    let host = this.hosts.get(name);
    if (host === undefined) this.hosts.set(name, (host = new DestinationHost(name, this.options)));
    host.lastMillis = nowMillis;
    return host;
  }

  /** Hosts that nobody pushes to any more, and jobs that no longer come, once in a while. */
  private forget(nowMillis: number): void {
    this.forgetAtMillis = nowMillis + forgetMillis;
    for (const host of this.hosts.values()) {
      host.forgetJobs(nowMillis - idleMillisMax);
      if (host.isForgettable(nowMillis) && nowMillis - host.lastMillis > idleMillisMax) this.hosts.delete(host.name);
    }
  }

  private queueOf({ host, isRetry }: PushTicket): PriorityHeap<PushTicket> {
    return isRetry && this.options.order === "fair" ? host.retries : host.firsts;
  }

  private dequeue(ticket: PushTicket): void {
    this.queueOf(ticket).remove(ticket);
    this.waiting -= 1;
    ticket.state = "done";
  }

  /** Where the host belongs after something about it has changed. */
  private place(host: DestinationHost, nowMillis: number): void {
    host.ready?.remove(host);
    this.paused.delete(host);
    if (host.waiting === 0) return;
    const circuit = host.circuitAt(nowMillis);
    if (circuit === "open") return this.refuseAll(host, "circuit-open", host.openUntilMillis - nowMillis);
    const pause = host.notBeforeMillis - nowMillis;
    if (pause > waitMillisMax) return this.refuseAll(host, "host-paused", pause);
    if (pause > 0) {
      this.paused.add(host);
      this.pauseEndsMillis = Math.min(this.pauseEndsMillis, host.notBeforeMillis);
      return;
    }
    // A probe does not wait for what hangs since before.
    if (circuit === "probing" || (circuit === "closed" && !host.hasRoom())) return;
    host.head = host.next();
    const { pool } = host;
    const { firsts, retries } = this.ready[pool];
    (host.isUrgent ? firsts : retries).add(host, host.held[pool]);
  }

  /** They come again about when it may be tried, and not all in the same moment. */
  private refuseAll(host: DestinationHost, reason: "circuit-open" | "host-paused", millis: number): void {
    const tickets = [...host.firsts.all(), ...host.retries.all()];
    for (const ticket of tickets) this.dequeue(ticket);
    for (const { request } of tickets) {
      const spread = Math.floor(this.world.jitter() * Math.min(waitMillisMax, millis / 10));
      request.refuse(reason, Math.max(1, Math.ceil(millis)) + spread);
    }
  }

  /** Hands out what is free. */
  private grant(nowMillis: number): void {
    // What begins may end at once and come back here: the loop that is under way sees to it.
    if (this.isGranting) return;
    this.isGranting = true;
    try {
      this.age(nowMillis);
      for (const pool of pools) {
        for (let host = this.pick(pool); host !== undefined; host = this.pick(pool)) this.begin(host, pool, nowMillis);
      }
    } finally {
      this.isGranting = false;
    }
    this.plan(nowMillis);
  }

  private pick(pool: Pool): DestinationHost | undefined {
    if (this.free[pool] === 0) return undefined;
    const heldMax = this.allowed(pool);
    const { firsts, retries } = this.ready[pool];
    const first = this.firstsInRow < firstsInRowMax ? firsts.first(heldMax) : undefined;
    const host = first ?? retries.first(heldMax) ?? firsts.first(heldMax);
    if (host !== undefined) this.firstsInRow = host.ready === retries ? 0 : this.firstsInRow + 1;
    return host;
  }

  /** How many places a host may hold at most while so few are free. */
  private allowed(pool: Pool): number {
    return Math.max(1, this.free[pool] - this.reserve[pool]);
  }

  private begin(host: DestinationHost, pool: Pool, nowMillis: number): void {
    const ticket = host.head!;
    const { request, share } = ticket;
    this.dequeue(ticket);
    ticket.state = pool;
    ticket.beganMillis = nowMillis;
    host.held[pool] += 1;
    this.free[pool] -= 1;
    if (pool === "fast") this.aging.add(ticket);
    const cost = request.bytes / request.weight;
    this.virtual = Math.max(this.virtual, ticket.nodeTag);
    share.hostTag = ticket.hostTag + cost;
    share.nodeTag = ticket.nodeTag + cost;
    share.served += cost;
    share.waitedMillis += nowMillis - ticket.enteredMillis;
    host.began(ticket);
    this.place(host, nowMillis);
    request.begin(ticket);
  }

  private giveBack(host: DestinationHost, pool: Pool): void {
    host.held[pool] -= 1;
    this.free[pool] += 1;
  }

  /** Moves what has had no answer for too long among the slow, as far as there is room. */
  private age(nowMillis: number): void {
    for (let ticket = this.aging.first(); ticket !== undefined; ticket = this.aging.first()) {
      if (ticket.beganMillis + this.options.pushSlowMillis > nowMillis) break;
      this.aging.remove(ticket);
      const { host } = ticket;
      host.answersOthers = false;
      if (host.held.slow < this.allowed("slow") && this.free.slow > 0) {
        ticket.state = "slow";
        host.held.slow += 1;
        this.free.slow -= 1;
        this.giveBack(host, "fast");
      }
      this.place(host, nowMillis);
    }
  }

  /** When to look again although nobody comes or goes. */
  private plan(nowMillis: number): void {
    if (this.waiting === 0) return;
    let atMillis = this.pauseEndsMillis;
    const oldest = this.aging.first();
    if (oldest !== undefined) atMillis = Math.min(atMillis, oldest.beganMillis + this.options.pushSlowMillis);
    if (atMillis === Infinity || (this.wake !== undefined && this.wake.atMillis <= atMillis)) return;
    this.wake?.cancel();
    const cancel = this.world.after(Math.max(1, atMillis - nowMillis), () => {
      this.wake = undefined;
      this.look();
    });
    this.wake = { atMillis, cancel };
  }

  private look(): void {
    const nowMillis = this.world.nowMillis();
    this.pauseEndsMillis = Infinity;
    const paused = [...this.paused];
    // Whoever must wait longer is put back.
    for (const host of paused) this.place(host, nowMillis);
    this.grant(nowMillis);
  }
}

const trouble = ({ circuit, notBeforeMillis }: HostReport): number =>
  (circuit === "closed" ? 0 : 2) + (notBeforeMillis > 0 ? 1 : 0);

const pools: ReadonlyArray<Pool> = ["fast", "slow"];
