import { Effect, Layer } from "effect";
import { AuditTrail } from "../../src/api/audit-port.ts";
import { ApiUnavailable } from "../../src/api/ports.ts";
import type { AuditNote } from "../../src/domain/audit-entry.ts";

/** Keeps what was noted; takes nothing while it is down, nor from so many notes on. */
export class FakeAudit {
  readonly notes: Array<AuditNote> = [];
  down = false;
  failsFrom = Infinity;
  broken = false;

  readonly layer = Layer.succeed(AuditTrail, {
    append: (note) =>
      Effect.suspend(() =>
        this.down || this.notes.length >= this.failsFrom
          ? Effect.fail(new ApiUnavailable({ detail: "scripted" }))
          : Effect.succeed(this.notes.push(note)),
      ),
    list: (after, limit) =>
      Effect.sync(() => {
        const from = after ?? Math.max(0, this.notes.length - limit);
        const entries = this.notes.slice(from, from + limit).map((note, i) => ({
          ...note,
          number: from + i + 1,
          millis: 0,
          node: "fake",
          previous: "",
          hash: "",
        }));
        const next = from + entries.length;
        return next < this.notes.length ? { entries, next } : { entries };
      }),
    verify: (kept) =>
      Effect.suspend(() => {
        const verdict = { entries: this.notes.length, whole: !this.broken, head: "0".repeat(64) };
        return this.down
          ? Effect.fail(new ApiUnavailable({ detail: "scripted" }))
          : Effect.succeed(kept === undefined ? verdict : { ...verdict, keptAt: kept === verdict.head ? 0 : null });
      }),
  });
}
