import { DateTime } from "effect";
import type { ConfigStatus, RolloutRecord, RolloutReport } from "../../domain/config-report.ts";
import { formatTable, grouped, shortDuration } from "../table.ts";

const timeOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis));

/** One line: where a rollout is. */
export const rolloutLine = ({ elapsedMillis, percent, reason, state, target, watchMillis }: RolloutReport): string => {
  if (state === "idle" || target === null) return "no rollout";
  const about = `snapshot ${target.number}: ${state}`;
  if (state === "watching")
    return `${about}, ${percent} % of the customers, ${shortDuration(elapsedMillis)} of ${shortDuration(watchMillis)}`;
  return `${about}${percent > 0 ? `, ${percent} % of the customers` : ""}${reason === "" ? "" : ` (${reason})`}`;
};

/** One line: how a rollout ended. */
export const recordLine = ({ number, reason, result, rollbackOf }: RolloutRecord): string =>
  `snapshot ${number}${rollbackOf === null ? "" : ` (the content of ${rollbackOf})`}: ${result}` +
  (reason === "" ? "" : `: ${reason}`);

export const statusText = (status: ConfigStatus): string => {
  const { frozen, inForce, last, leader, nodes, pending, refusal, rollout } = status;
  const lines = [
    inForce === null
      ? "in force   nothing yet: nodes answer 503"
      : `in force   snapshot ${inForce.number}, ${grouped(inForce.jobs)} jobs, ${grouped(inForce.enabled)} enabled, ` +
        `made ${timeOf(inForce.createdMillis)}`,
    `pending    ${pending === 0 ? "nothing" : `${grouped(pending)} jobs are stored otherwise: spillway config plan`}`,
    `rollout    ${rolloutLine(rollout)}`,
  ];
  if (frozen !== null)
    lines.push(`FROZEN     by ${frozen.who} at ${timeOf(frozen.atMillis)}: ${frozen.why || "no reason given"}`);
  if (refusal !== null)
    lines.push(`REFUSED    ${refusal.refusals.map(({ message, rule }) => `${rule}: ${message}`).join(" ")}`);
  if (last !== null) lines.push(`last       ${recordLine(last)}`);
  lines.push(`led by     ${leader}`, "");
  const rows = nodes.map(({ node, refused, serves, silentMillis }) => {
    const isOther = inForce !== null && serves?.hash !== inForce.hash;
    const word = refused === null ? (isOther ? "another one" : "") : `refuses ${refused.number}: ${refused.rule}`;
    return [node, serves === null ? "nothing" : String(serves.number), shortDuration(silentMillis), word];
  });
  const titles = ["node", "serves", "heard", ""].map((title) => ({ title, align: "left" as const }));
  return [...lines, formatTable(titles, rows)].join("\n");
};

export const historyText = (records: ReadonlyArray<RolloutRecord>): string =>
  records.length === 0
    ? "Nothing was rolled out yet."
    : formatTable(
        ["snapshot", "time", "result", "in force", "who", "why"].map((title) => ({ title, align: "left" as const })),
        records.map(({ atMillis, author, inForce, number, reason, result, why }) => [
          String(number),
          timeOf(atMillis),
          result,
          String(inForce),
          author === "" ? "-" : author,
          [why, reason].filter((text) => text !== "").join("; ") || "-",
        ]),
      );
