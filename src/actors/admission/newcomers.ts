import { DecayingSum } from "./decaying-sum.ts";
import { Tokens } from "./tokens.ts";

export interface NewcomerLimits {
  readonly newcomerSeconds: number;
  readonly newcomerSharePercent: number;
}

/** The bandwidth that newcomers share in is measured over so many seconds. */
const bandwidthSeconds = 10;
/** A node that publishes less is taken to publish this much: otherwise a quiet node would never let anybody in. */
const bandwidthBytesPerSecondMin = 1_048_576;

/**
 * Who has sent records here before. A pair is a newcomer until some time after its first record, and, when it began
 * during a surge, until that is over. Newcomers share a small part of the node's publish bandwidth.
 */
export class Newcomers {
  private readonly limits: NewcomerLimits;
  /** Epoch millis of the first record per pair. Only pairs of the served set come in, and those that leave it go. */
  private readonly firstMillis = new Map<string, number>();
  private readonly startedMillis: number;
  private readonly bandwidth: DecayingSum;
  private readonly tokens: Tokens;
  private surgeSinceMillis: number | undefined;
  private nowMillis: number;

  constructor(limits: NewcomerLimits, nowMillis: number) {
    this.limits = limits;
    this.startedMillis = nowMillis;
    this.nowMillis = nowMillis;
    this.bandwidth = new DecayingSum(bandwidthSeconds, nowMillis);
    const share = () => this.shareBytesPerSecond();
    this.tokens = new Tokens(share, share, nowMillis);
  }

  get size(): number {
    return this.firstMillis.size;
  }

  /**
   * @param wasConfigured the pair had a push job when the node started: a node that has just started cannot tell who
   *   sent before, and nobody must pay for a restart
   * @returns whether it is a newcomer that was never seen
   */
  see(key: string, wasConfigured: boolean, nowMillis: number): boolean {
    if (this.firstMillis.has(key)) return false;
    const isFresh = nowMillis - this.startedMillis < this.limits.newcomerSeconds * 1_000;
    const isEstablished = isFresh && wasConfigured;
    this.firstMillis.set(key, isEstablished ? Number.NEGATIVE_INFINITY : nowMillis);
    return !isEstablished;
  }

  isNewcomer(key: string, nowMillis: number): boolean {
    const first = this.firstMillis.get(key);
    if (first === undefined) return true;
    if (this.surgeSinceMillis !== undefined && first >= this.surgeSinceMillis) return true;
    return first !== Number.NEGATIVE_INFINITY && nowMillis - first < this.limits.newcomerSeconds * 1_000;
  }

  surgeBegan(nowMillis: number): void {
    this.surgeSinceMillis ??= nowMillis;
  }

  surgeEnded(): void {
    this.surgeSinceMillis = undefined;
  }

  /** Whether newcomers together have anything left to publish. */
  haveShare(nowMillis: number): boolean {
    this.nowMillis = nowMillis;
    return this.tokens.at(nowMillis) > 0;
  }

  /** @param newcomers how many of the bytes were theirs: what is more than they had delays the next */
  published(bytes: number, newcomers: number, nowMillis: number): void {
    this.nowMillis = nowMillis;
    // Before the bandwidth rises by it, so that newcomers do not raise their own share.
    this.tokens.at(nowMillis);
    this.bandwidth.add(bytes - newcomers, nowMillis);
    this.tokens.spend(newcomers);
  }

  /** Bytes a second that newcomers may publish together. */
  shareBytesPerSecond(): number {
    const bandwidth = Math.max(bandwidthBytesPerSecondMin, this.bandwidth.perSecond(this.nowMillis));
    return (bandwidth * this.limits.newcomerSharePercent) / 100;
  }

  /** Forgets pairs that are not served any more, when they are many: the table is bounded by the set of push jobs. */
  keepOnly(served: ReadonlyMap<string, unknown>): void {
    if (this.firstMillis.size <= served.size) return;
    for (const key of this.firstMillis.keys()) if (!served.has(key)) this.firstMillis.delete(key);
  }
}
