import type { DestinationHost } from "./host.ts";
import { PriorityHeap } from "./priority-heap.ts";

/**
 * Hosts that want to push and may, but for a place; by how many places they hold, for those that hold too many are
 * passed over without being looked at.
 */
export class ReadyHosts {
  private readonly heaps: Array<PriorityHeap<DestinationHost>> = [];
  private size = 0;

  add(host: DestinationHost, held: number): void {
    while (this.heaps.length <= held) this.heaps.push(new PriorityHeap(isEarlier));
    const heap = this.heaps[held]!;
    heap.add(host);
    host.heap = heap;
    host.ready = this;
    this.size += 1;
  }

  remove(host: DestinationHost): void {
    host.heap!.remove(host);
    host.heap = undefined;
    host.ready = undefined;
    this.size -= 1;
  }

  /** Whose turn it is among those that hold fewer places than this. */
  first(heldMax: number): DestinationHost | undefined {
    if (this.size === 0) return undefined;
    let earliest: DestinationHost | undefined;
    for (let held = 0; held < Math.min(heldMax, this.heaps.length); held++) {
      const host = this.heaps[held]!.first();
      if (host !== undefined && (earliest === undefined || isEarlier(host, earliest))) earliest = host;
    }
    return earliest;
  }
}

/** By the start tag of whose turn it is, and of the same in the order of arrival. */
function isEarlier(one: DestinationHost, other: DestinationHost): boolean {
  const a = one.head!;
  const b = other.head!;
  return a.nodeTag < b.nodeTag || (a.nodeTag === b.nodeTag && a.number < b.number);
}
