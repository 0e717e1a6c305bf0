import type { Backlogs } from "../actors/ports/backlogs.ts";
import type { KillSwitchesView } from "../actors/ports/kill-switches.ts";
import type { NodeAdmission } from "../actors/ports/node-admission.ts";
import type { RecordSpans } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";
import { FairShares } from "./fair-shares.ts";
import { PartitionPressure, type PressureLimits } from "./partition-pressure.ts";
import type { HeldBackReason } from "./refusals.ts";

/** What a customer's records meet at the door, for as long as one body takes. */
export interface Verdicts {
  /** Why this pair's records are refused; undefined lets them in. */
  readonly of: (pair: Pair) => HeldBackReason | undefined;
}

/** How often reports and rates are looked at. */
const lookMillis = 250;
/** Rates are statistics: of a body of ten thousand customers every so-manieth span is taken for its neighbours. */
const sampledSpansMax = 64;

interface Partition {
  readonly pressure: PartitionPressure;
  readonly shares: FairShares;
}

/**
 * Holds back whose records an operator has switched off, and whose would cost others theirs: customers over their
 * quota, partitions about to lose what nobody has read, customers above their fair share of a log that turns over too
 * fast, and newcomers in a surge. Most of the time it has nothing to say, and then it costs nothing per record.
 */
export class Doorkeeper {
  private readonly backlogs: Backlogs["Service"];
  private readonly admission: NodeAdmission["Service"];
  private readonly switches: KillSwitchesView;
  private readonly now: () => number;
  private readonly isGuarded: () => boolean;
  private readonly partitions: ReadonlyArray<Partition>;
  private lookedMillis = Number.NEGATIVE_INFINITY;
  private hasCause = false;
  private sampleFrom = 0;

  constructor(
    backlogs: Backlogs["Service"],
    admission: NodeAdmission["Service"],
    limits: PressureLimits,
    now: () => number,
    switches: KillSwitchesView,
    /** False only in a drill: then all are let in, whatever it costs, but for whom an operator has switched off. */
    isGuarded: () => boolean = () => true,
  ) {
    this.backlogs = backlogs;
    this.admission = admission;
    this.now = now;
    this.isGuarded = isGuarded;
    this.switches = switches;
    this.partitions = Array.from({ length: backlogs.partitions }, () => ({
      pressure: new PartitionPressure(limits),
      shares: new FairShares(now()),
    }));
  }

  /** For one body: the same answer for all records of a pair. Undefined when nobody is held back. */
  verdicts(): Verdicts | undefined {
    this.look();
    const state = this.admission.state();
    const { stopsIntake } = this.switches.current();
    const isPressed = this.isGuarded() && (this.hasCause || state === "surging" || state === "closed");
    if (!stopsIntake && !isPressed) return undefined;
    const known = new Map<Pair, HeldBackReason | undefined>();
    let last: Pair | undefined;
    let lastReason: HeldBackReason | undefined;
    return {
      of: (pair) => {
        if (pair === last) return lastReason;
        last = pair;
        lastReason = known.get(pair);
        if (lastReason === undefined && !known.has(pair)) known.set(pair, (lastReason = this.judge(pair)));
        return lastReason;
      },
    };
  }

  /** These go to the outbox now. Answers what to call when it has answered. */
  letIn(spans: RecordSpans): () => void {
    const { pairs } = spans;
    this.sample(spans);
    this.admission.published(spans);
    const first = pairs[0]!.partition;
    const bytes = pairs.length === 1 ? undefined : bytesByPartition(spans, this.partitions.length);
    const each = (tell: (pressure: PartitionPressure, bytes: number) => void): void => {
      if (bytes === undefined) return tell(this.partitions[first]!.pressure, spans.bytes);
      for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0) tell(this.partitions[i]!.pressure, bytes[i]!);
    };
    each((pressure, more) => pressure.offered(more));
    return () => each((pressure, more) => pressure.settled(more));
  }

  private sample({ pairs, starts, stops }: RecordSpans): void {
    const stride = Math.max(1, Math.ceil(pairs.length / sampledSpansMax));
    // Begins elsewhere each time: customers that take turns in a body must not be missed time and again.
    this.sampleFrom += 1;
    for (let i = this.sampleFrom % stride; i < pairs.length; i += stride) {
      this.partitions[pairs[i]!.partition]!.shares.add(pairs[i]!, (stops[i]! - starts[i]!) * stride);
    }
  }

  private judge(pair: Pair): HeldBackReason | undefined {
    // First: what is refused for it must not use up a newcomer's share.
    if (this.switches.current().refusing(pair.customer, pair.dataset) !== undefined) return "switched-off";
    if (!this.isGuarded()) return undefined;
    const { pressure, shares } = this.partitions[pair.partition]!;
    if (pressure.isRefused(pair.key)) return "over-quota";
    if (!this.admission.mayPublish(pair)) return "newcomer";
    if (shares.isOverShare(pair.key)) return "over-share";
    return pressure.isFull() ? "log-full" : undefined;
  }

  private look(): void {
    const nowMillis = this.now();
    if (Math.abs(nowMillis - this.lookedMillis) < lookMillis) return;
    this.lookedMillis = nowMillis;
    this.hasCause = false;
    for (const [partition, { pressure, shares }] of this.partitions.entries()) {
      pressure.learn(this.backlogs.latest(partition)?.report);
      shares.settle(pressure.sustainableShare(), nowMillis);
      if (pressure.hasRefused() || shares.hasLimit() || pressure.isFull()) this.hasCause = true;
    }
  }
}

const bytesByPartition = ({ pairs, starts, stops }: RecordSpans, partitions: number): Float64Array => {
  const bytes = new Float64Array(partitions);
  for (let i = 0; i < pairs.length; i++) bytes[pairs[i]!.partition]! += stops[i]! - starts[i]!;
  return bytes;
};
