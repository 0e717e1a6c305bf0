import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { Dataset } from "../../src/domain/dataset.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const dataset = Dataset.make({
  name: "audit_logs",
  description: "Who did what.",
  scope: "account",
  customerField: "Account",
  fields: { Who: { type: "string", description: "A person or a token." } },
} as never);

it.live("spillway datasets lists the catalogue in force, and the fields of one", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const { url } = yield* startApi(node);
    node.datasets = [dataset];
    const all = yield* runSpillway(["datasets", "--url", url]);
    assert.strictEqual(all.code, 0, all.stderr);
    assert.match(all.stdout, /audit_logs +account +Account +- +1/);
    const one = yield* runSpillway(["datasets", "audit_logs", "--url", url]);
    assert.match(one.stdout, /audit_logs: Who did what\.\n\n.*\nWho +string +A person or a token\./);
    const json = yield* runSpillway(["datasets", "--json", "--url", url]);
    assert.deepStrictEqual(JSON.parse(json.stdout), { number: 3, datasets: [dataset] });
    const none = yield* runSpillway(["datasets", "other", "--url", url]);
    assert.strictEqual(none.code, 1);
    assert.match(none.stderr, /No dataset other/);
  }),
);
