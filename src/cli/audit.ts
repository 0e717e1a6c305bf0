import { Console, DateTime, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { AuditEntry, AuditVerdict } from "../domain/audit-entry.ts";
import { openClient } from "./client.ts";
import { CommandFailure, failed, misused } from "./command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

/** All of it is read: that may take a while. */
const verifyMillisMax = 600_000;

interface AuditPage {
  readonly entries: ReadonlyArray<AuditEntry>;
  readonly next?: number;
}

export const audit = Command.make(
  "audit",
  {
    verify: Flag.Boolean("verify").pipe(
      Flag.withDescription("Recompute the chain of hashes; exit code 3 when it is broken, 1 when nobody could look"),
      Flag.withDefault(false),
    ),
    head: Flag.String("head").pipe(
      Flag.withDescription("With --verify: a head that was kept elsewhere; exit code 3 when no entry has it"),
      Flag.optional,
    ),
    after: Flag.Int("after").pipe(
      Flag.withDescription("Begin after this number (default: the newest entries)"),
      Flag.optional,
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("Print at most so many, up to 1,000"), Flag.withDefault(50)),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const kept = Option.getOrUndefined(flags.head);
    if (kept !== undefined && !flags.verify) return yield* misused("--head goes with --verify");
    if (kept !== undefined && !/^[0-9a-f]{64}$/.test(kept)) return yield* misused("--head must be 64 digits of hex");
    const client = yield* openClient(yield* connectionTo(flags.url));
    if (flags.verify) {
      const path = `/v1/audit/verdict${kept === undefined ? "" : `?head=${kept}`}`;
      const asked = { method: "GET", path, millisMax: verifyMillisMax } as const;
      const verdict = (yield* client.ask(asked)).body as AuditVerdict;
      yield* Console.log(flags.json ? JSON.stringify(verdict) : wordsOf(verdict));
      if (!verdict.whole) return yield* broken("the audit log is broken");
      if (kept === undefined || typeof verdict.keptAt === "number") return;
      if (verdict.keptAt === undefined) return yield* failed("this node is of a version that cannot look for a head");
      return yield* broken("no entry has the head that was kept: the log was made anew, or its end was cut off");
    }
    const after = Option.match(flags.after, { onNone: () => "", onSome: (number) => `&after=${number}` });
    const page = (yield* client.ask({ method: "GET", path: `/v1/audit?limit=${flags.limit}${after}` }))
      .body as AuditPage;
    if (flags.json) return yield* Console.log(JSON.stringify(page));
    if (page.entries.length === 0) return yield* Console.log("Nothing was changed from outside.");
    yield* Console.log(formatEntries(page.entries));
    if (page.next !== undefined) yield* Console.log(`… and more: --after ${page.next}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "List who changed what, when and why: every request that changes something, before it is done and with its answer, " +
      "and what the control process decided by itself: what its gate refused, and how each rollout ended. " +
      "Your own name comes from your user name and machine, the reason from SPILLWAY_REASON. Each entry holds the hash " +
      "of the one before: --verify shows whether any was changed or taken out.",
  ),
  Command.withShortDescription("Who changed what, when and why"),
  Command.withExamples([
    { command: "spillway audit --limit 10", description: "The ten newest entries" },
    { command: "spillway audit --verify", description: "Whether the log is whole" },
    { command: "spillway audit --verify --head 5e884898…", description: "And is still the one that it was" },
  ]),
);

/** Somebody has looked, and it is not as it should be. */
const broken = (message: string) => new CommandFailure({ message, exitCode: 3 });

const wordsOf = ({ brokenAt, entries, head, keptAt, problem, whole }: AuditVerdict): string =>
  whole
    ? `${grouped(entries)} entries, each following the one before. Head: ${head}` +
      (typeof keptAt === "number" ? `. The one that was kept is entry ${keptAt}'s.` : "")
    : `Broken at entry ${brokenAt}: ${problem}. The ${grouped(entries)} before it are whole.`;

const formatEntries = (entries: ReadonlyArray<AuditEntry>): string =>
  formatTable(
    ["number", "time", "who", "what", "why", "detail"].map((title) => ({
      title,
      align: title === "number" ? "right" : "left",
    })),
    entries.map(({ detail, millis, number, what, who, why }) => [
      String(number),
      DateTime.formatIso(DateTime.makeUnsafe(millis)),
      who,
      what,
      why === "" ? "-" : why,
      detail === "" ? "-" : detail,
    ]),
  );
