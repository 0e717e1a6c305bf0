import { assert, it } from "@effect/vitest";
import { Effect, Metric } from "effect";
import { openDoor } from "./door-world.ts";

const acme = { "spillway-customer": "acme" };

it.live("labels come from the catalogue and from closed sets, whatever strangers send", () =>
  Effect.gen(function* () {
    const { post } = yield* openDoor();
    yield* post("/v1/ingest/logs", '{"a":1}\n{"a":2}\nno\n', acme);
    yield* post("/v1/ingest/no_such_dataset", '{"a":1}\n', acme);
    yield* post("/v1/ingest/logs", "", { ...acme, "content-encoding": "br" });
    const shown = (yield* Metric.snapshot)
      .filter(({ id }) => id.startsWith("spillway_ingest_"))
      .map(({ attributes, id, state }) => {
        const labels = Object.entries(attributes ?? {}).map((label) => label.join("="));
        return `${id}{${labels.toSorted().join()}} ${"count" in state ? state.count : ""}`;
      });
    assert.sameMembers(shown, [
      "spillway_ingest_records_total{dataset=logs,outcome=accepted} 2",
      "spillway_ingest_records_total{dataset=logs,outcome=refused} 1",
      "spillway_ingest_records_total{dataset=other,outcome=accepted} 0",
      "spillway_ingest_records_total{dataset=other,outcome=unconfigured} 1",
      "spillway_ingest_refused_records_total{reason=not-an-object} 1",
      "spillway_ingest_bytes_total{dataset=logs} 19",
      "spillway_ingest_bytes_total{dataset=other} 8",
      "spillway_ingest_requests_total{status=200} 2",
      "spillway_ingest_requests_total{status=415} 1",
      "spillway_ingest_request_duration_seconds{} 3",
    ]);
  }).pipe(Effect.scoped),
);
