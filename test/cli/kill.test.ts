import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { aSwitch } from "../support/scripted-switches.ts";
import { runSpillway } from "./run-spillway.ts";

const start = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const run = (...args: ReadonlyArray<string>) => runSpillway(["kill", ...args, "--url", url]);
  return { node, run };
});

describe("spillway kill", () => {
  it.live("shows what a switch would hold, and changes nothing", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const shown = yield* run("add", "customer", "c-17", "--dry-run");
      assert.strictEqual(shown.code, 0, shown.stderr);
      assert.match(shown.stdout, /^Would stop customer c-17: its deliveries stop, records are stored and wait\.$/m);
      assert.match(shown.stdout, /^ {2}records waiting +1,234$/m);
      assert.match(shown.stdout, /^Nothing was changed\.$/m);
      assert.lengthOf(node.switches.switches, 0);
      const json = yield* run("add", "customer", "c-17", "--dry-run", "--json");
      assert.deepStrictEqual(JSON.parse(json.stdout).effect, node.switches.effect);
    }),
  );

  it.live("turns a switch on and off, with its time and its reason", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const flags = ["--stop", "delivery", "--for", "2h", "--reason", "they asked", "--yes"];
      const added = yield* run("add", "destination", "Logs.Example.com:8443", ...flags);
      assert.strictEqual(added.code, 0, added.stderr);
      assert.match(added.stdout, /^Stopped destination logs\.example\.com:8443/);
      assert.deepInclude(node.switches.asked[0]?.input, {
        kind: "destination",
        target: "logs.example.com:8443",
        stops: "delivery",
        forSeconds: 7_200,
      });
      assert.strictEqual(node.switches.asked[0]?.account.why, "they asked");
      const removed = yield* run("remove", "destination", "logs.example.com:8443", "--json");
      assert.strictEqual(removed.code, 0, removed.stderr);
      assert.strictEqual(JSON.parse(removed.stdout).switch.target, "logs.example.com:8443");
      const gone = yield* run("remove", "destination", "logs.example.com:8443");
      assert.deepStrictEqual([gone.code, gone.stdout], [1, ""]);
      assert.match(gone.stderr, /no kill switch .* that is on/);
    }),
  );

  it.live("lists what is on, and warns of it", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const none = yield* run("list");
      assert.deepStrictEqual([none.code, none.stdout, none.stderr], [0, "No kill switch is on.\n", ""]);
      node.switches.switches = [aSwitch("customer", "c-17"), aSwitch("everything", "", { why: "", stops: "both" })];
      const some = yield* run("list");
      assert.match(some.stdout, /^switch +stops +since +ends in +who +why\n/);
      assert.match(some.stdout, /^customer c-17 +delivery +1970-01-01T00:00:00\.000Z +- +somebody +a test$/m);
      assert.match(some.stdout, /^everything +both .* somebody +-$/m);
      assert.match(some.stderr, /2 kill switches are on/);
      const json = yield* run("list", "--json");
      assert.lengthOf(JSON.parse(json.stdout).switches, 2);
    }),
  );

  it.live("does nothing that it was not clearly asked for", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const table: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
        [["add", "customer", "c-17"], 2, /--dry-run, then repeat with --yes/],
        [["add", "customer", "--yes"], 2, /name the customer/],
        [["add", "everything", "c-17", "--yes"], 2, /takes no target/],
        [["add", "customer", "c.17", "--yes"], 2, /no name of a customer/],
        [["add", "destination", "a.example", "--stop", "both", "--yes"], 2, /no intake/],
        [["add", "customer", "c-17", "--for", "soon", "--yes"], 2, /--for must be like/],
        [["add", "planet", "mars", "--yes"], 2, /everything/],
        [["add", "customer", "nobody", "--yes"], 1, /check the spelling/],
        [["add", "customer", "c-17", "--nats", "127.0.0.1:1", "--yes"], 2, /--force/],
        [["add", "customer", "c-17", "--nats", "127.0.0.1:1", "--dry-run"], 2, /needs a node/],
        [["add", "customer", "c-17", "--nats", "127.0.0.1:1", "--force", "--yes"], 1, /NATS at 127\.0\.0\.1:1/],
      ];
      for (const [args, code, message] of table) {
        const ran = yield* run(...args);
        assert.deepStrictEqual([ran.code, ran.stdout], [code, ""], `${args.join(" ")}: ${ran.stderr}`);
        assert.match(ran.stderr, message, args.join(" "));
      }
      assert.lengthOf(node.switches.switches, 0);
    }),
  );
});
