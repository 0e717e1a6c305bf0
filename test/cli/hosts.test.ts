import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import type { HostReport } from "../../src/api/host-reports.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const fine: HostReport = {
  host: "fine.example",
  circuit: "closed",
  concurrency: 16,
  inFlight: 2,
  waiting: 0,
  jobs: 1_200,
  notBeforeMillis: 0,
  evidence: null,
};

it.live("spillway hosts shows each host's circuit, window and latest evidence, and says when there are more", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const { url } = yield* startApi(node);
    const open: HostReport = {
      ...fine,
      host: "down.example",
      circuit: "open",
      concurrency: 0,
      inFlight: 0,
      waiting: 7,
      notBeforeMillis: 5_000,
      evidence: { says: "silent", millis: 1_000 },
    };
    node.hosts = [open, fine];
    const ran = yield* runSpillway(["hosts", "--url", url]);
    assert.strictEqual(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /down\.example +open +0 +0 +7 +1,200 +1970\S+05\.000Z +silent at 1970\S+01\.000Z/);
    assert.match(ran.stdout, /fine\.example +closed +16 +2 +0 +1,200 +- +-/);
    assert.notInclude(ran.stdout, "and more");
    const json = yield* runSpillway(["hosts", "--url", url, "--json", "--limit", "1"]);
    assert.deepStrictEqual(JSON.parse(json.stdout), { hosts: [open], more: true });
    const beyond = yield* Effect.promise(() => fetch(`${url}/v1/hosts?limit=1001`));
    assert.strictEqual(beyond.status, 400);
  }),
);
