import { Context } from "effect";
import type { AlertsReport } from "./alert-reports.ts";

/** The alerts of this node, from memory. */
export class AlertsView extends Context.Service<AlertsView, { readonly report: () => AlertsReport }>()(
  "spillway/api/AlertsView",
) {}
