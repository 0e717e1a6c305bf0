import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BufferReport } from "../../src/api/buffer-reports.ts";
import { runSpillway } from "../cli/run-spillway.ts";
import { startNode } from "../support/one-job-node.ts";
import { eventually, framesOfType, watch } from "../support/watched-world.ts";

/** A destination that lets those who ask for `/hang` wait until it is told. */
const receiver = Effect.gen(function* () {
  const hanging: Array<ServerResponse> = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      if (request.url === "/hang") hanging.push(response);
      else response.writeHead(200).end();
    });
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => server.close().closeAllConnections()),
  );
  const release = () => {
    for (const response of hanging.splice(0)) response.writeHead(200).end();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hanging, release };
});

const get = (url: string, job: string) =>
  Effect.promise(async () => (await (await fetch(`${url}/v1/buffers/${job}`)).json()) as BufferReport);

const send = Effect.fnUntraced(function* (url: string, customer: string) {
  const args = ["send", "-", "--dataset", "http_requests", "--customer", customer, "--url", url];
  const sent = yield* runSpillway(args, { stdin: '{"n":1}\n' });
  assert.strictEqual(sent.code, 0, sent.stderr);
});

const batch = { maxIntervalSeconds: 1 };

describe("a buffer without an actor, watched", () => {
  it.live(
    "says why it has none, shows what its row tells, and is attached to when it wakes",
    () =>
      Effect.gen(function* () {
        const sink = yield* receiver;
        const { url } = yield* startNode(
          [
            { id: "busy", customer: "acme", destination: `${sink.url}/hang`, batch },
            { id: "late", customer: "globex", destination: `${sink.url}/in`, batch },
          ],
          { limits: { residentBuffersMax: 1, hibernateAfterMillis: 60_000 } },
        );
        const { frames } = yield* watch(url, "late");
        const rests = () => framesOfType(frames, "@spillway.rest").map(({ reason }) => reason);
        yield* eventually("the news that it rests", () => rests()[0] === "hibernated");
        assert.deepInclude(yield* get(url, "late"), { delivery: "hibernated", resident: false, backlogRecords: 0 });

        yield* send(url, "acme");
        yield* eventually("the only place is taken", () => sink.hanging.length === 1);
        yield* send(url, "globex");
        yield* eventually("the news that it waits", () => rests()[1] === "waiting");
        const pending = () =>
          framesOfType(frames, "@spillway.figures").some(({ figures }) => figures.books["pending"]!.records === 1);
        yield* eventually("its row's figures", pending);
        const report = yield* get(url, "late");
        assert.deepInclude(report, { delivery: "waiting", flow: null, resident: false, backlogRecords: 1 });
        assert.isAbove(report.lagMillis, 0);
        assert.deepStrictEqual(report.unexplained, { records: 0, bytes: 0 });
        const listed = yield* runSpillway(["buffers", "list", "--state", "waiting", "--url", url, "--json"]);
        assert.include(listed.stdout, '"late"');
        assert.isFalse(frames.some(({ type }) => type === "@xstate.actor"));

        sink.release();
        yield* eventually("its actor", () => frames.some(({ type }) => type === "@xstate.actor"));
        const delivered = () =>
          framesOfType(frames, "@spillway.figures").some(({ figures }) => figures.books["delivered"]!.records === 1);
        yield* eventually("the delivery", delivered);
        yield* eventually("it hibernates, for places are scarce", () => rests().at(-1) === "hibernated");
        assert.deepInclude((yield* get(url, "late")).books, { delivered: { records: 1, bytes: 8 } });
        assert.deepStrictEqual(rests(), ["hibernated", "waiting", "hibernated"]);
      }),
    60_000,
  );
});
