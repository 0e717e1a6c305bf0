import { DateTime } from "effect";
import type { ConfigStatus, NodeConfig, RolloutRecord, RolloutReport } from "../../domain/config-report.ts";
import { hashToldTo } from "../../domain/config-as-told.ts";
import { formatTable, grouped, shortDuration } from "../table.ts";

const timeOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis));

/** Nodes may not serve yet what they are told to. */
const stillMoving: ReadonlySet<string> = new Set(["promoting", "rollingBack", "returning"]);

/** One line: where a rollout is. */
export const rolloutLine = (rollout: RolloutReport): string => {
  const { adopted, canary, elapsedMillis, percent, reason, state, target, watchMillis } = rollout;
  if (state === "idle" || target === null) return "no rollout";
  const parts = [`snapshot ${target.number}: ${state}`];
  if (canary !== undefined) parts.push(`on ${canary.nodes.join(", ")}`);
  if (percent > 0) parts.push(`${percent} % of the customers`);
  const what = state === "returning" ? "taken back by" : "adopted by";
  if (adopted !== undefined) parts.push(`${what} ${adopted.nodes} of ${adopted.of} nodes`);
  if (state === "watching") parts.push(`${shortDuration(elapsedMillis)} of ${shortDuration(watchMillis)}`);
  return `${parts.join(", ")}${reason === "" ? "" : ` (${reason})`}`;
};

/** One line: how a rollout ended. */
export const recordLine = ({ number, reason, result, rollbackOf }: RolloutRecord): string =>
  `snapshot ${number}${rollbackOf === null ? "" : ` (the content of ${rollbackOf})`}: ${result}` +
  (reason === "" ? "" : `: ${reason}`);

export const statusText = (status: ConfigStatus): string => {
  const { frozen, inForce, last, leader, nodes, pending, refusal, rollout, trouble } = status;
  const lines = [
    inForce === null ? "in force   nothing yet: nodes answer 503" : `in force   ${inForceText(inForce)}`,
    `pending    ${pending === 0 ? "nothing" : `${grouped(pending)} jobs are stored otherwise: spillway config plan`}`,
    `rollout    ${rolloutLine(rollout)}`,
  ];
  if (trouble !== undefined) lines.push(`STUCK      for ${shortDuration(trouble.millis)}: ${trouble.why}`);
  if (frozen !== null)
    lines.push(`FROZEN     by ${frozen.who} at ${timeOf(frozen.atMillis)}: ${frozen.why || "no reason given"}`);
  if (refusal !== null)
    lines.push(`REFUSED    ${refusal.refusals.map(({ message, rule }) => `${rule}: ${message}`).join(" ")}`);
  if (last !== null) lines.push(`last       ${recordLine(last)}`);
  lines.push(`led by     ${leader}`, "");
  const rows = nodes.map((node) => [
    node.node,
    node.serves === null ? "nothing" : String(node.serves.number),
    shortDuration(node.silentMillis),
    nodeWord(node, status),
  ]);
  const titles = ["node", "serves", "heard", ""].map((title) => ({ title, align: "left" as const }));
  return [...lines, formatTable(titles, rows)].join("\n");
};

const inForceText = ({ createdMillis, enabled, jobs, number }: NonNullable<ConfigStatus["inForce"]>): string =>
  jobs === undefined || enabled === undefined || createdMillis === undefined
    ? `snapshot ${number}, whose content cannot be read`
    : `snapshot ${number}, ${grouped(jobs)} jobs, ${grouped(enabled)} enabled, made ${timeOf(createdMillis)}`;

/** What is to be known of a node; nothing when it serves what all do. */
const nodeWord = ({ node, refused, serves }: NodeConfig, status: ConfigStatus): string => {
  const { inForce, rollout } = status;
  if (refused !== null) return `refuses ${refused.number}: ${refused.rule}`;
  if (inForce === null) return "";
  const { canary, percent, state } = rollout;
  const isAsTold = serves?.hash === hashToldTo(status, node);
  if (isAsTold && canary?.nodes.includes(node) === true) return "canary";
  // A step is a snapshot of its own: whoever serves it has the new one for a share of the customers.
  if (isAsTold) return percent > 0 && percent < 100 ? `canary, ${percent} % of the customers` : "";
  return stillMoving.has(state) ? "not yet" : "another one";
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
