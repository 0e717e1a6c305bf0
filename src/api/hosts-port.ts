import { Context } from "effect";
import type { HostReport } from "./host-reports.ts";

/** What pushes from this node share with one another: its destination hosts. */
export class HostsView extends Context.Service<
  HostsView,
  {
    /** At most so many, those in trouble first. */
    readonly list: (hostsMax: number) => ReadonlyArray<HostReport>;
  }
>()("spillway/api/HostsView") {}
