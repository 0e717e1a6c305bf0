import { assert, describe, it } from "vitest";
import type { Buffer } from "../../src/actors/buffer/buffer.ts";
import { PartitionState } from "../../src/actors/partition/partition-state.ts";
import { partitionOf as placeOf } from "../../src/domain/partition.ts";
import { pageOf } from "../../src/node/buffers-view.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { storedJob } from "../support/world.ts";
import { scriptedClaim } from "../actors/partition/partition-fixture.ts";

const partitions = 2;
const dataset = "http_requests";

const resident = (job: string): Buffer =>
  ({
    jobId: job,
    partition: 0,
    newest: { revision: 1, job: { id: job, customer: `c-${job}`, dataset, enabled: true } },
    actor: { delivery: () => "idle", flow: () => "live", context: () => ({ failures: 0 }) },
    ledger: { pendingRecords: 0, pendingBytes: 0 },
    window: { bytes: () => 0 },
    crashes: 0,
  }) as unknown as Buffer;

/** Push jobs of customers of the same names, `disabled` among them. */
const world = (ids: ReadonlyArray<string>, disabled: ReadonlySet<string> = new Set()) => {
  const table = new JobTable(partitions);
  for (const [i, id] of ids.entries()) table.put(storedJob(id, `c-${id}`, { enabled: !disabled.has(id) }, i + 1));
  const set = table.set(1);
  const states = Array.from({ length: partitions }, (_, partition) => {
    const state = new PartitionState(partition, scriptedClaim().claim, "i");
    state.isOwn = (pairKey) => placeOf(pairKey.split(".")[0]!, dataset, partitions) === partition;
    return state;
  });
  return {
    state: (id: string) => states[placeOf(`c-${id}`, dataset, partitions)]!,
    page: (query: { readonly state?: string; readonly customer?: string; readonly after?: string }, limit = 100) =>
      pageOf(states, { ...query, limit }, 1_000, set),
  };
};

const jobs = ({ buffers }: ReturnType<typeof pageOf>) => buffers.map(({ job }) => job).join("");

describe("buffers without an actor", () => {
  const { page, state } = world([..."fbdaec"], new Set("e"));
  state("b").buffers.set("b", resident("b"));
  state("c").waiting.set("c", {} as never);
  state("d").waitingBuffers.set("d", { rowNow: () => undefined } as never);

  for (const [query, found] of [
    [{}, "abcdef"],
    [{ state: "hibernated" }, "aef"],
    [{ state: "waiting" }, "cd"],
    [{ state: "waiting", after: "c" }, "d"],
    [{ state: "disabled" }, "e"],
    [{ state: "disabled", after: "e" }, ""],
    [{ state: "idle" }, "b"],
    [{ customer: "c-f" }, "f"],
    [{ customer: "c-f", state: "waiting" }, ""],
    [{ customer: "c-c", state: "waiting" }, "c"],
    [{ state: "hibernated", after: "a" }, "ef"],
  ] as const) {
    it(`asked for ${JSON.stringify(query)} are ${found === "" ? "none" : found}`, () => {
      assert.strictEqual(jobs(page(query)), found);
    });
  }

  it("come in pages with those that have one, each once", () => {
    for (const limit of [1, 2, 3, 5, 6]) {
      let seen = "";
      let after: string | undefined;
      do {
        const found = page(after === undefined ? {} : { after }, limit);
        seen += jobs(found);
        after = found.next;
      } while (after !== undefined);
      assert.strictEqual(seen, "abcdef", `${limit} a page`);
    }
  });
});

describe("a hundred thousand buffers without an actor", () => {
  it("are listed at less than 300 ms a page, whatever they are asked for", () => {
    const ids = Array.from({ length: 100_000 }, (_, i) => `job-${(i * 7_919) % 100_000}`);
    const { page } = world(ids, new Set(["job-5"]));
    // CPU time: what the tests beside this one take is not its fault.
    const cpuMillis = () => {
      const { system, user } = process.cpuUsage();
      return (system + user) / 1_000;
    };
    const took: Array<number> = [];
    const timed = (query: Parameters<typeof page>[0]) => {
      const begun = cpuMillis();
      const found = page(query, 1_000);
      took.push(cpuMillis() - begun);
      return found;
    };
    let seen = 0;
    let after: string | undefined;
    do {
      const found = timed({ state: "hibernated", ...(after === undefined ? {} : { after }) });
      seen += found.buffers.length;
      after = found.next;
    } while (after !== undefined);
    assert.strictEqual(seen, ids.length);
    assert.strictEqual(jobs(timed({ state: "disabled" })), "job-5");
    assert.strictEqual(jobs(timed({ customer: "c-job-77" })), "job-77");
    assert.strictEqual(jobs(timed({ state: "waiting" })), "");
    assert.isBelow(Math.max(...took), 300, `${took.length} pages`);
  });
});
