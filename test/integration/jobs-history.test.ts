import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { ChangedBy } from "../../src/actors/ports/changed-by.ts";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { JobHistory } from "../../src/api/job-history-port.ts";
import { Destination } from "../../src/domain/destination.ts";
import { makeJobHistory } from "../../src/node/job-history.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import type { Nats } from "../../src/streams/nats.ts";
import { foreignPut, job, onNode } from "../support/job-nodes.ts";

const by = (who: string, why = "") => Effect.provideService(ChangedBy, { who, why });

/** A node and its history, as the API has it. */
const withHistory = <A, E>(test: Effect.Effect<A, E, JobStore | Jobs | Nats | JobHistory>) =>
  onNode(test.pipe(Effect.provideServiceEffect(JobHistory, makeJobHistory({ allowPrivateDestinations: true }))));

const brief = Effect.fnUntraced(function* (id: string) {
  const { revisions } = yield* (yield* JobHistory).list(id);
  return revisions.map(({ change, differs, who, why }) => [change, differs.join(), who, why]);
});

const refused = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E, JobHistory>) =>
  effect.pipe(Effect.match({ onSuccess: () => "done", onFailure: ({ _tag }) => _tag }));

describe("the history of push jobs on a real nats-server", () => {
  it.live("says of each revision who, when, what and why, newest first", () =>
    withHistory(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const before = Date.now();
        yield* store.put(job("a")).pipe(by("ann", "a new customer"));
        yield* store.put(job("a", { enabled: false })).pipe(by("bob"));
        yield* store
          .put(job("a", { enabled: false, destination: { kind: "file", path: "/b" } }))
          .pipe(by("bob", "a\nb"));
        yield* store.change([{ remove: "a" as never }]).pipe(by("eve", "all of them"));
        yield* foreignPut("a", encodeJob(job("a")));
        assert.deepStrictEqual(yield* brief("a"), [
          ["created", "", "", ""],
          ["removed", "", "eve", "all of them"],
          ["updated", "destination", "bob", "a b"],
          ["disabled", "enabled", "bob", ""],
          ["created", "", "ann", "a new customer"],
        ]);
        const { revisions } = yield* (yield* JobHistory).list("a");
        for (const { millis } of revisions) assert.isTrue(millis >= before - 1_000 && millis <= Date.now() + 1_000);
        assert.strictEqual(yield* refused((yield* JobHistory).list("never")), "JobNotFound");
      }),
    ),
  );

  it.live("remembers sixty-four, and does not say that the oldest of them was the first", () =>
    withHistory(
      Effect.gen(function* () {
        const store = yield* JobStore;
        for (let i = 0; i < 66; i++) yield* store.put(job("a", { destination: { kind: "file", path: `/${i}` } }));
        const changes = yield* brief("a");
        assert.strictEqual(changes.length, 64);
        assert.isTrue(changes.every(([change]) => change === "updated"));
      }),
    ),
  );
});

describe("a deleted push job on a real nats-server", () => {
  it.live("comes back as it was, secrets included, and is served again", () =>
    withHistory(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const history = yield* JobHistory;
        const jobs = yield* Jobs;
        const destination = Destination.make({
          kind: "http",
          url: "http://127.0.0.1:9/logs",
          headers: { authorization: "Bearer secret-1" },
        } as never);
        yield* store.put(job("a", { destination }));
        yield* store.remove("a");
        assert.isUndefined(jobs.served().byId.get("a"));
        const shown = yield* history.restore("a", undefined, undefined).pipe(by("ann", "a mistake"));
        assert.notInclude(JSON.stringify(shown.job), "secret-1", "what is answered is redacted");
        const served = jobs.served().byId.get("a");
        assert.strictEqual(served?.revision, shown.revision);
        assert.include(encodeText(served!.job), "secret-1");
        assert.deepStrictEqual((yield* brief("a"))[0], ["restored", "", "ann", "a mistake"]);
      }),
    ),
  );

  it.live("comes back once; any job goes back to a revision that is remembered, on top of what was looked at", () =>
    withHistory(
      Effect.gen(function* () {
        const store = yield* JobStore;
        const history = yield* JobHistory;
        const first = yield* store.put(job("a"));
        const second = yield* store.put(job("a", { enabled: false }));
        assert.strictEqual(yield* refused(history.restore("a", undefined, undefined)), "NotRestorable");
        assert.strictEqual(yield* refused(history.restore("a", 77, undefined)), "NotRestorable");
        assert.strictEqual(yield* refused(history.restore("a", first.revision, 77)), "JobConflict");
        assert.strictEqual(yield* refused(history.restore("b", undefined, undefined)), "JobNotFound");
        const back = yield* history.restore("a", first.revision, second.revision);
        assert.isTrue(back.job.enabled);
        const { revisions } = yield* history.list("a");
        assert.deepInclude(revisions[0], { change: "restored", restoreOf: first.revision });
        // Of many at once one comes back; the others find it changed, or there.
        yield* store.remove("a");
        const all = yield* Effect.forEach(
          Array.from({ length: 4 }),
          () => refused(history.restore("a", undefined, undefined)),
          {
            concurrency: "unbounded",
          },
        );
        assert.strictEqual(all.filter((each) => each === "done").length, 1, all.join());
      }),
    ),
  );
});

const encodeText = (of: Parameters<typeof encodeJob>[0]) => Buffer.from(encodeJob(of)).toString();
