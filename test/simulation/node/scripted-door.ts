import { Effect } from "effect";
import type { Outbox } from "../../../src/actors/ports/outbox.ts";
import type { Doorkeeper } from "../../../src/forwarder/doorkeeper.ts";
import type { PairIndex } from "../../../src/forwarder/pair-index.ts";
import { type Sorted, sortBody } from "../../../src/forwarder/sort.ts";
import { limits } from "../../support/world.ts";

/** Which lines of a body were stored, refused for now, or dropped for nobody wants them; undefined: no answer. */
export interface DoorAnswer {
  readonly refused: ReadonlyMap<number, string>;
  readonly unconfigured: number;
  readonly accepted: number;
}

/** The forwarder without HTTP: the real scan, the real doorkeeper, a scripted outbox. */
export interface Door {
  readonly ingest: (lines: ReadonlyArray<string>) => Effect.Effect<DoorAnswer | undefined>;
}

export const makeDoor = (parts: {
  readonly keeper: Doorkeeper;
  readonly outbox: Outbox["Service"];
  readonly pairs: () => PairIndex;
}): Door => ({
  ingest: Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
    const body = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    const asked = {
      dataset: "http_requests",
      encoding: "identity" as const,
      announcedBytes: body.length,
      idempotencyKey: undefined,
      customer: undefined,
      customerField: "c",
    };
    let found: Sorted | undefined;
    // A body so small is gone through in one step.
    const later = () => {
      throw new Error("a body of a few lines is not large");
    };
    const keep = (sorted: Sorted) => {
      found = sorted;
    };
    const all = { ...limits, refusedListedMax: lines.length };
    sortBody(asked, body, parts.pairs(), all, false, later, keep, parts.keeper.verdicts());
    const sorted = found!;
    if (sorted.spans.pairs.length > 0) {
      const settled = parts.keeper.letIn(sorted.spans);
      const stored = yield* parts.outbox.write(sorted.spans, undefined).pipe(
        Effect.as(true),
        Effect.catch(() => Effect.succeed(false)),
        Effect.ensuring(Effect.sync(settled)),
      );
      if (!stored) return undefined;
    }
    return {
      refused: new Map(sorted.refusals.listed.map(({ line, reason }) => [line - 1, reason as string])),
      unconfigured: sorted.unconfigured,
      accepted: sorted.accepted,
    };
  }),
});
