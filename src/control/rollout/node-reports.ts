import { segmentCount } from "../../domain/segment-of.ts";
import type { NodeConfig } from "../../domain/config-report.ts";
import type { NodeReport } from "../../streams/config-messages.ts";

/** A node that says nothing for so long is not waited for. */
const silentMillisMax = 5_000;
/** And is forgotten after so long. */
const forgottenMillis = 600_000;
const nodesMax = 10_000;

/** What each node of the cluster said last of the configuration that it serves. Times are a steady clock's. */
export class NodeReports {
  private readonly byNode = new Map<string, { readonly report: NodeReport; readonly atMillis: number }>();

  accept(report: NodeReport, nowMillis: number): void {
    const before = this.byNode.get(report.node)?.report;
    if (before === undefined && this.byNode.size >= nodesMax) return;
    const { traffic = before?.traffic } = report;
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

  /** Those that are alive. @param silentMax how long ago their last report may be */
  live(nowMillis: number, silentMax = silentMillisMax): ReadonlyArray<NodeReport> {
    const all: Array<NodeReport> = [];
    for (const { atMillis, report } of this.byNode.values()) {
      if (nowMillis - atMillis <= silentMax) all.push(report);
    }
    return all;
  }

  list(nowMillis: number): ReadonlyArray<NodeConfig> {
    const all: Array<NodeConfig> = [];
    for (const [node, { atMillis, report }] of this.byNode) {
      if (nowMillis - atMillis > forgottenMillis) this.byNode.delete(node);
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
}
