import { Context } from "effect";
import type { DatasetsReport } from "./reports.ts";

/** The catalogue of datasets that is in force on this node. */
export class DatasetsView extends Context.Service<DatasetsView, { readonly report: () => DatasetsReport }>()(
  "spillway/api/DatasetsView",
) {}
