import { Effect } from "effect";
import { writeFile } from "node:fs/promises";
import { loadAlertRules } from "../../control/alert-rules.ts";
import type { AlertRule } from "../../domain/alert-rule.ts";
import { drillFailure } from "../drill-failure.ts";

/** What is different from the shipped rule of that name. */
export type BriskAlerts = Readonly<Record<string, Partial<Pick<AlertRule, "threshold" | "forSeconds">>>>;

/** The shipped rules, judged every second, some of them sooner, as a file for the nodes of a drill. */
export const writeBriskAlerts = Effect.fn("drill.writeBriskAlerts")(function* (file: string, brisk: BriskAlerts) {
  const shipped = yield* loadAlertRules().pipe(Effect.mapError(({ message }) => drillFailure(message)));
  const rules = shipped.rules.map((rule) => ({ ...rule, ...brisk[rule.id] }));
  yield* Effect.promise(() => writeFile(file, JSON.stringify({ ...shipped, evaluateSeconds: 1, rules })));
});
