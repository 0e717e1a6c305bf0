import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { hostOf } from "../../src/destinations/host-of.ts";
import type { SwitchTarget } from "../../src/domain/kill-switch.ts";
import { jobsSwitched, stopsAnyJob } from "../../src/node/jobs-switched.ts";
import { openDestination } from "../destinations/open-destination.ts";
import { jobSetOf, storedJob } from "../support/world.ts";

const http = (url: string) => ({ destination: { kind: "http" as const, url } });
const s3 = (pathStyle: boolean) => ({
  destination: {
    kind: "s3" as const,
    endpoint: "https://S3.example.com",
    region: "eu",
    bucket: "logs",
    accessKeyId: "a",
    secretAccessKey: "b",
    pathStyle,
  },
});

const set = jobSetOf(
  [
    storedJob("a-1", "acme", http("https://one.example:8443/in")),
    storedJob("a-2", "acme", { ...http("https://two.example/in"), dataset: "audit" as never }),
    storedJob("a-off", "acme", { ...http("https://one.example:8443/off"), enabled: false }),
    storedJob("ac-1", "ac", http("https://ONE.example:8443/other")),
    storedJob("b-1", "beta", s3(true)),
    storedJob("b-2", "beta", s3(false)),
    storedJob("f-1", "folders"),
  ],
  4,
);

const table: ReadonlyArray<readonly [SwitchTarget, readonly [number, number, number, number]]> = [
  [{ kind: "customer", target: "acme" }, [2, 1, 2, 2]],
  [{ kind: "customer", target: "ac" }, [1, 1, 1, 1]],
  [{ kind: "customer", target: "nobody" }, [0, 0, 0, 0]],
  [{ kind: "dataset", target: "audit" }, [1, 1, 1, 1]],
  [{ kind: "dataset", target: "acme" }, [0, 0, 0, 0]],
  [{ kind: "destination", target: "one.example:8443" }, [2, 2, 1, 1]],
  [{ kind: "destination", target: "one.example" }, [0, 0, 0, 0]],
  [{ kind: "destination", target: "s3.example.com" }, [1, 1, 1, 1]],
  [{ kind: "destination", target: "logs.s3.example.com" }, [1, 1, 1, 1]],
  [{ kind: "destination", target: "file" }, [1, 1, 1, 1]],
  [{ kind: "everything", target: "" }, [6, 4, 2, 5]],
];

describe("the jobs that a switch stops", () => {
  it.effect("are counted with their customers, datasets and hosts; disabled ones are not", () =>
    Effect.gen(function* () {
      for (const [target, [jobs, customers, datasets, destinations]] of table) {
        const found = yield* jobsSwitched(set, target);
        assert.deepStrictEqual(found, { jobs, customers, datasets, destinations }, JSON.stringify(target));
        assert.strictEqual(yield* stopsAnyJob(set, target), jobs > 0);
      }
    }),
  );

  it.effect("go to the host that a push of theirs asks for", () =>
    Effect.gen(function* () {
      for (const { job } of set.byId.values()) {
        const { host } = yield* openDestination(job.destination);
        assert.strictEqual(hostOf(job.destination), host, job.id);
      }
    }).pipe(Effect.scoped),
  );
});
