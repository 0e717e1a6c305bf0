import { Circuit, type CircuitState } from "./circuit.ts";
import { ConcurrencyWindow } from "./concurrency-window.ts";
import type { Evidence } from "./evidence.ts";
import { JobShare } from "./job-share.ts";
import type { CircuitInput } from "./machine.ts";
import { type HeapItem, PriorityHeap } from "./priority-heap.ts";
import type { ReadyHosts } from "./ready-hosts.ts";
import type { Pool, PushTicket } from "./ticket.ts";

export interface HostOptions {
  readonly pushesPerHostFirst: number;
  readonly pushesPerHostMax: number;
  readonly circuit: CircuitInput;
}

/** A destination host as it is now. */
export interface HostReport {
  readonly host: string;
  readonly circuit: CircuitState;
  /** Pushes that it would get at once now. */
  readonly concurrency: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** No push before; 0 when there is no reason to wait. The scheduler tells it by its own clock. */
  readonly notBeforeMillis: number;
  /** Jobs that pushed to it and are not forgotten. */
  readonly jobs: number;
  /** What the last push that said anything said of the host. */
  readonly evidence: { readonly says: Evidence; readonly millis: number } | null;
}

/** Of so many first tries in a row the next turn is a retry's, when one waits. */
export const firstsInRowMax = 3;
/** So many jobs' throttled pushes in a row, and the host means everybody. */
const throttledInRowMax = 3;
/** A success of another job speaks for the host so long. */
const goodMillis = 60_000;
/** A host that throttles without saying for how long. */
const pauseMillis = 250;
/** The longest that a host may ask for; the same as for one job. */
const pauseMillisMax = 3_600_000;

/** What the jobs of one destination host share: its queue, its window, its circuit and its pauses. */
export class DestinationHost implements HeapItem {
  heapPlace = -1;
  readonly name: string;
  readonly shares = new Map<string, JobShare>();
  readonly firsts = new PriorityHeap<PushTicket>(isEarlier);
  readonly retries = new PriorityHeap<PushTicket>(isEarlier);
  /** Whose turn it is, when the host is among those that may push. */
  head: PushTicket | undefined;
  /** Where it stands among those that may push. */
  ready: ReadyHosts | undefined;
  heap: PriorityHeap<DestinationHost> | undefined;
  /** Start tag of the push that began last. */
  virtual = 0;
  readonly held: Record<Pool, number> = { fast: 0, slow: 0 };
  /** Its last push was slow or had no answer: the next ones begin among the slow. */
  wasSlow = false;
  /** Since a push became slow, others were answered: it is not the host that hangs. */
  answersOthers = false;
  notBeforeMillis = 0;
  lastMillis = 0;
  private readonly options: HostOptions;
  private readonly window: ConcurrencyWindow;
  private readonly circuit: Circuit | undefined;
  private firstsInRow = 0;
  private throttledInRow = 0;
  private lastGood: JobShare | undefined;
  /** Whose pushes have failed since one was last answered. */
  private failing: JobShare | "several" | undefined;
  private lastGoodMillis = 0;
  private lastEvidence: Evidence = "nothing";
  private lastEvidenceMillis = 0;

  constructor(name: string, options: HostOptions) {
    this.name = name;
    this.options = options;
    const { pushesPerHostFirst, pushesPerHostMax } = options;
    // A folder is no server: it neither throttles nor comes back by being left alone.
    const isFile = name === "file";
    this.window = new ConcurrencyWindow(isFile ? pushesPerHostMax : pushesPerHostFirst, pushesPerHostMax);
    this.circuit = isFile ? undefined : new Circuit(options.circuit);
  }

  get inFlight(): number {
    return this.held.fast + this.held.slow;
  }

  get waiting(): number {
    return this.firsts.size + this.retries.size;
  }

  get pool(): Pool {
    return this.wasSlow || this.held.slow > 0 ? "slow" : "fast";
  }

  /** Of two in the same queue, the first tries: a retry waits behind them, but not for ever. */
  next(): PushTicket | undefined {
    const first = this.firsts.first();
    const retry = this.retries.first();
    return first === undefined || (retry !== undefined && this.firstsInRow >= firstsInRowMax) ? retry : first;
  }

  /** Whether the next ticket goes with the first tries of other hosts: one whose turn it is among its own does. */
  get isUrgent(): boolean {
    return this.firsts.size > 0;
  }

  hasRoom(): boolean {
    // While it answers others, what hangs is a matter of a URL, and must not use up the host's window.
    const counted = this.answersOthers ? this.held.fast : this.inFlight;
    return counted < this.window.size && this.inFlight < this.options.pushesPerHostMax;
  }

  /** Whether it may be pushed to at this time: `probing` waits for the one push that finds out. */
  circuitAt(nowMillis: number): CircuitState | "probing" {
    const { circuit } = this;
    if (circuit === undefined) return "closed";
    if (circuit.state === "open") circuit.look(nowMillis);
    return circuit.isProbing ? "probing" : circuit.state;
  }

  /**
   * One job's failures may be that job's own, and nobody else has been heard: another one that comes is the probe, at
   * once. Were it left to the next turn, the job that fails might be the probe each time.
   */
  hear(share: JobShare, nowMillis: number): void {
    if (this.failing === undefined || this.failing === "several" || this.failing === share) return;
    if (this.circuitAt(nowMillis) === "open") this.circuit?.look(this.openUntilMillis);
  }

  /** Of the next probe, while its circuit is open. */
  get openUntilMillis(): number {
    return this.circuit?.openUntilMillis ?? 0;
  }

  began(ticket: PushTicket): void {
    this.firstsInRow = ticket.isRetry ? 0 : this.firstsInRow + 1;
    this.virtual = Math.max(this.virtual, ticket.hostTag);
    ticket.round = this.window.round;
    if (this.circuit === undefined || this.circuit.state !== "halfOpen") return;
    ticket.isProbe = true;
    this.circuit.beginProbe();
  }

  /**
   * What a push's answer teaches about the host. Its failure counts only when it is news: the job's last push had not
   * failed, or nobody else has been well here for a while. Otherwise one job's broken URL would close the host for its
   * neighbours.
   */
  judge(
    ticket: PushTicket,
    evidence: Evidence,
    retryAfterMillis: number | undefined,
    nowMillis: number,
    jitter: number,
  ): void {
    const { share } = ticket;
    if (evidence !== "nothing") {
      this.lastEvidence = evidence;
      this.lastEvidenceMillis = nowMillis;
    }
    const isAlone =
      this.lastGood === undefined || this.lastGood === share || nowMillis - this.lastGoodMillis > goodMillis;
    const isNews = !share.isBad || isAlone;
    if (evidence !== "nothing") share.isBad = evidence !== "good";
    if (evidence === "good") {
      this.failing = undefined;
      this.lastGood = share;
      this.lastGoodMillis = nowMillis;
      this.throttledInRow = 0;
      if (this.circuitState !== "halfOpen") this.window.succeeded(this.inFlight);
    }
    if (this.circuit === undefined) return;
    if (isNews && (evidence === "throttled" || evidence === "silent")) this.window.overloaded(ticket.round);
    if (isNews && evidence === "throttled") this.pause(retryAfterMillis, isAlone, nowMillis, jitter);
    if (evidence !== "silent" && evidence !== "nothing") this.answersOthers = true;
    const isFailure = evidence === "silent" || evidence === "erring";
    if (isFailure) this.failing = this.failing === undefined || this.failing === share ? share : "several";
    if (ticket.isProbe) {
      this.circuit.endProbe(
        isFailure ? "failed" : evidence === "nothing" ? "abandoned" : "answered",
        nowMillis,
        jitter,
      );
    } else if (isFailure) {
      if (isNews) this.circuit.failed(nowMillis, jitter);
    } else if (evidence !== "nothing") {
      this.circuit.answered();
    }
  }

  get circuitState(): CircuitState {
    return this.circuit?.state ?? "closed";
  }

  /** A probe that was given up says nothing; the next push is the probe. */
  abandon(ticket: PushTicket, nowMillis: number): void {
    if (ticket.isProbe) this.circuit?.endProbe("abandoned", nowMillis, 0);
  }

  private pause(retryAfterMillis: number | undefined, isAlone: boolean, nowMillis: number, jitter: number): void {
    this.throttledInRow += 1;
    const isMeant = isAlone || this.throttledInRow >= throttledInRowMax;
    const short = Math.floor(pauseMillis * (0.5 + jitter));
    const millis = isMeant && retryAfterMillis !== undefined ? Math.min(retryAfterMillis, pauseMillisMax) : short;
    this.notBeforeMillis = Math.max(this.notBeforeMillis, nowMillis + millis);
  }

  shareOf(job: string, nowMillis: number): JobShare {
    let share = this.shares.get(job);
    if (share === undefined) this.shares.set(job, (share = new JobShare(job)));
    share.lastMillis = nowMillis;
    return share;
  }

  forgetJobs(beforeMillis: number): void {
    if (this.waiting > 0 || this.inFlight > 0) return;
    for (const [job, { lastMillis }] of this.shares) if (lastMillis < beforeMillis) this.shares.delete(job);
  }

  /** Nothing about it matters to a push that may come. */
  isForgettable(nowMillis: number): boolean {
    const untilMillis = Math.max(this.notBeforeMillis, this.openUntilMillis);
    return this.waiting === 0 && this.inFlight === 0 && untilMillis <= nowMillis;
  }

  report(nowMillis: number): HostReport {
    const { inFlight, name, notBeforeMillis, waiting, window } = this;
    const circuit = this.circuitState;
    const until = Math.max(notBeforeMillis, this.openUntilMillis);
    return {
      host: name,
      circuit,
      concurrency: circuit === "closed" ? window.size : circuit === "halfOpen" ? 1 : 0,
      inFlight,
      waiting,
      notBeforeMillis: until > nowMillis ? until : 0,
      jobs: this.shares.size,
      evidence: this.lastEvidence === "nothing" ? null : { says: this.lastEvidence, millis: this.lastEvidenceMillis },
    };
  }
}

/** By start tag, and of the same in the order of arrival. */
function isEarlier(one: PushTicket, other: PushTicket): boolean {
  return one.hostTag < other.hostTag || (one.hostTag === other.hostTag && one.number < other.number);
}
