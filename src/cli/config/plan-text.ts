import type { GateVerdict } from "../../domain/blast-radius.ts";
import type { ConfigDiff, ConfigPlan, JobDifference } from "../../domain/config-report.ts";
import { grouped } from "../table.ts";

/** Jobs that are shown one by one. */
const linesMax = 50;

const signs: Readonly<Record<string, string>> = {
  added: "+",
  restored: "+",
  removed: "-",
  missing: "-",
  disabled: "-",
  enabled: "+",
};

/** A line for each job, and under it what becomes of its settings. */
export const diffText = ({ changes, more }: ConfigDiff): string => {
  const shown = changes.slice(0, linesMax).flatMap(linesOf);
  const left = changes.length - Math.min(changes.length, linesMax) + more;
  return [...shown, ...(left > 0 ? [`… and ${grouped(left)} more jobs`] : [])].join("\n");
};

const linesOf = (change: JobDifference): ReadonlyArray<string> => {
  const { after, before, customer, dataset, effect, id, kind, revisionAfter, revisionBefore } = change;
  const revisions = [revisionBefore, revisionAfter].filter((revision) => revision !== null).join(" → ");
  const what = effect === undefined || effect === kind ? kind : `${kind} (${effect})`;
  const head = `${signs[effect ?? kind] ?? "~"} ${id}  ${customer}/${dataset}  ${what}, revision ${revisions}`;
  if (before === null || after === null) return [head];
  return [head, ...differences("", before, after).map((line) => `    ${line}`)];
};

const differences = (path: string, before: unknown, after: unknown): ReadonlyArray<string> => {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) => differences(path === "" ? key : `${path}.${key}`, before[key], after[key]));
  }
  const [was, is] = [JSON.stringify(before), JSON.stringify(after)];
  return was === is ? [] : [`${path}: ${was ?? "(none)"} → ${is ?? "(none)"}`];
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What it would change in numbers, and whether it may. */
export const verdictText = (verdict: GateVerdict, steps: ReadonlyArray<number>): string => {
  const { accepted, passed, radius, refusals, small } = verdict;
  const jobs = Object.entries(radius.jobs).filter(([, count]) => count > 0);
  const lines = [
    `jobs       ${jobs.length === 0 ? "none" : jobs.map(([what, count]) => `${grouped(count)} ${what}`).join(", ")}`,
    `buffers    ${grouped(radius.buffers.before)} → ${grouped(radius.buffers.after)}`,
    `customers  ${grouped(radius.customers.before)} → ${grouped(radius.customers.after)}, ` +
      `${grouped(radius.customers.touched)} touched`,
    `headroom   ${radius.headroomUsedPercent.jobs.toFixed(1)} % of the jobs that this cluster is made for`,
  ];
  const { added, gone } = radius.datasets;
  if (added.length + gone.length > 0)
    lines.push(`datasets   ${[...added.map((name) => `+${name}`), ...gone.map((name) => `-${name}`)].join(", ")}`);
  const { catalogue } = radius;
  const entries = [
    ...catalogue.added.map((name) => `+${name}`),
    ...catalogue.removed.map((name) => `-${name}`),
    ...catalogue.changed.map((name) => `~${name}`),
  ];
  if (entries.length > 0) lines.push(`catalogue  ${entries.join(", ")}`);
  for (const { dataset, enabled, fields } of catalogue.fieldsGone ?? [])
    lines.push(`fields     ${dataset} loses ${someOf(fields)}; ${grouped(enabled)} enabled jobs deliver it`);
  if (radius.bytesPerSecond !== undefined) {
    const rates = radius.bytesPerSecond;
    lines.push(`traffic    +${rates.added} −${rates.removed} ↷${rates.redirected} bytes/s`);
  }
  for (const { jobs: some, message, remedy, rule } of refusals) {
    lines.push("", `REFUSED by ${rule}: ${message}`, `  ${remedy}`);
    if (some.length > 0) lines.push(`  among them: ${some.join(", ")}`);
  }
  if (passed) {
    lines.push(
      "",
      small ? "It passes, and goes to all nodes at once." : `It passes, and goes out in steps: ${steps.join(", ")} %.`,
    );
    if (accepted.length > 0) lines.push(`A person has accepted: ${accepted.join(", ")}.`);
  } else if (refusals.every(({ acceptable }) => acceptable)) {
    lines.push(
      "",
      "To let exactly this one past:",
      `  spillway config apply --accept-blast-radius ${verdict.snapshot}`,
    );
  } else {
    lines.push("", "Nobody can accept this: it is damaged, or nothing explains it.");
  }
  return lines.join("\n");
};

/** Names that are shown one by one. */
const namesMax = 10;

const someOf = (names: ReadonlyArray<string>): string => {
  const more = names.length - namesMax;
  return `${names.slice(0, namesMax).join(", ")}${more > 0 ? ` and ${grouped(more)} more` : ""}`;
};

export const planText = ({ diff, frozen, rollout, verdict }: ConfigPlan): string => {
  const ice =
    frozen === null ? [] : [`Frozen by ${frozen.who}: ${frozen.why || "no reason given"}. Nothing goes out.`, ""];
  if (verdict === null && rollout.state === "idle")
    return [...ice, "Nothing would change: what is stored is in force."].join("\n");
  if (verdict === null)
    return [...ice, `Snapshot ${rollout.target?.number} is on its way (${rollout.state}):`, "", diffText(diff)].join(
      "\n",
    );
  return [...ice, diffText(diff), "", verdictText(verdict, rollout.steps)].join("\n");
};
