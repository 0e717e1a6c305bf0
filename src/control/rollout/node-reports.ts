import { segmentCount } from "../../domain/segment-of.ts";
import type { NodeConfig } from "../../domain/config-report.ts";
import type { NodeReport, NodeSignals } from "../../streams/config-messages.ts";

/** A node that says nothing for so long is not there. */
const silentMillisMax = 5_000;
/** Nodes report once a second: what one said before it fell silent for so long is no news. */
export const newsMillisMax = 2_500;
/** And is forgotten after so long. */
const forgottenMillis = 600_000;
const nodesMax = 10_000;

/** What each node of the cluster said last of the configuration that it serves. Times are a steady clock's. */
export class NodeReports {
  private readonly byNode = new Map<string, { readonly report: NodeReport; readonly atMillis: number }>();
  /** What nodes that have ended as they were told to said last: what they had delivered, others deliver now. */
  private readonly lastWords = new Map<string, NodeSignals>();

  accept(report: NodeReport, nowMillis: number): void {
    const before = this.byNode.get(report.node)?.report;
    if (before === undefined && this.byNode.size >= nodesMax) return;
    const { leaving = false, node, signals, traffic = before?.traffic } = report;
    if (leaving && signals !== null) this.lastWords.set(node, signals);
    this.byNode.set(report.node, {
      report: traffic === undefined ? report : { ...report, traffic },
      atMillis: nowMillis,
    });
  }

  /** Bytes a second by segment of the customers, of all living nodes; undefined: none of them has told any. */
  traffic(nowMillis: number): Float64Array | undefined {
    const all = this.live(nowMillis).flatMap(({ traffic }) => (traffic === undefined ? [] : [traffic]));
    if (all.length === 0) return undefined;
    const sum = new Float64Array(segmentCount);
    for (const [segment, bytesPerSecond] of all.flat()) if (segment < segmentCount) sum[segment]! += bytesPerSecond;
    return sum;
  }

  /** Whether it has ended as it was told to. */
  hasLeft(node: string): boolean {
    return this.byNode.get(node)?.report.leaving === true;
  }

  /** Of those that have ended as they were told to, while this snapshot was served. */
  lastSignals(number: number): ReadonlyArray<NodeSignals> {
    return [...this.lastWords.values()].filter((signals) => signals.number === number);
  }

  /** Those that are alive. @param silentMax how long ago their last report may be */
  live(nowMillis: number, silentMax = silentMillisMax): ReadonlyArray<NodeReport> {
    const all: Array<NodeReport> = [];
    for (const { atMillis, report } of this.byNode.values()) {
      if (nowMillis - atMillis <= silentMax && report.leaving !== true) all.push(report);
    }
    return all;
  }

  list(nowMillis: number): ReadonlyArray<NodeConfig> {
    const all: Array<NodeConfig> = [];
    for (const [node, { atMillis, report }] of this.byNode) {
      if (nowMillis - atMillis > forgottenMillis) this.forget(node);
      else
        all.push({
          node,
          serves: report.serves,
          refused: report.refused,
          silentMillis: Math.max(0, Math.round(nowMillis - atMillis)),
        });
    }
    return all.toSorted((a, b) => (a.node < b.node ? -1 : 1));
  }

  private forget(node: string): void {
    this.byNode.delete(node);
    this.lastWords.delete(node);
  }
}
