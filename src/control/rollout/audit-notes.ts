import type { AuditNote } from "../../domain/audit-entry.ts";
import type { RolloutRecord } from "../../domain/config-report.ts";

const textMax = 1_000;

/** Notes that wait while the audit log cannot be written; with so many, nothing new is begun. */
export const unauditedMax = 100;

/** What cannot be noted is not begun. */
export const mayNote = ({ state: { unaudited = [] } }: Noted): boolean => unaudited.length < unauditedMax;

interface Noted {
  readonly state: { readonly unaudited?: ReadonlyArray<AuditNote> };
}

/** Who decides when nobody is asked: the control process of that node. */
const whoOf = (node: string): string => `control:${node}`;

/** How a rollout has ended, or why it has not begun. */
export const noteOfEnd = (node: string, record: RolloutRecord): AuditNote => {
  const { author, hash, inForce, number, reason, result, rollbackOf, verdict, why } = record;
  const rules = verdict === null || result !== "refused" ? [] : verdict.refusals.map(({ rule }) => rule);
  const accepted = verdict === null || verdict.accepted.length === 0 ? "" : verdict.accepted.join(", ");
  const details = [
    rules.length === 0 ? reason : `${rules.join(", ")}: ${reason}`,
    rollbackOf === null ? "" : `the content of ${rollbackOf}`,
    accepted === "" ? "" : `accepted: ${accepted}`,
    author === "" ? "" : `asked for by ${author}`,
    `in force: ${inForce === 0 ? "nothing" : inForce}`,
    `hash ${hash}`,
  ];
  return {
    kind: result === "refused" ? "config.refused" : "config.ended",
    who: whoOf(node),
    from: "",
    what: `configuration ${number}: ${result}`,
    why,
    detail: details
      .filter((text) => text !== "")
      .join("; ")
      .slice(0, textMax),
  };
};

/** Nodes were told once more what is in force, and to take it however much it takes away. */
export const noteOfRetelling = (
  node: string,
  { hash, number }: { readonly number: number; readonly hash: string },
  why: string,
): AuditNote => ({
  kind: "config.retold",
  who: whoOf(node),
  from: "",
  what: `configuration ${number}: told again, as accepted`,
  why: why.slice(0, textMax),
  detail: `hash ${hash}`,
});

/** A person has stopped a rollout: their request is noted by whoever took it, this is what came of it. */
export const noteOfHalt = (
  node: string,
  {
    percent,
    reason,
    target,
  }: { readonly target: { readonly number: number; readonly hash: string } } & {
    readonly percent: number;
    readonly reason: string;
  },
): AuditNote => ({
  kind: "config.halted",
  who: whoOf(node),
  from: "",
  what: `configuration ${target.number}: halted`,
  why: reason.slice(0, textMax),
  detail: `at ${percent} % of the customers; hash ${target.hash}`,
});
