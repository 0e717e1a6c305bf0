import type { HealthDetails } from "./messages.ts";

/** What the control thread says for itself. Bodies have the API's shapes. */

export interface OwnAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** @param more what is on or armed: kill switches, drills */
export const healthAnswer = (
  silentMillis: number,
  silentMillisMax: number,
  more: HealthDetails & { readonly killSwitches?: Readonly<Record<string, number>> } = {},
): OwnAnswer =>
  silentMillis < silentMillisMax
    ? { status: 200, body: { status: "ok", ...more } }
    : {
        status: 503,
        body: { error: { code: "main_thread_stuck", message: stuckMessage(silentMillis) } },
      };

/** Undefined while the last known checks of the main thread may be believed. */
export const unreadyAnswer = (silentMillis: number, silentMillisMax: number): OwnAnswer | undefined => {
  if (silentMillis < silentMillisMax) return undefined;
  const detail = stuckMessage(silentMillis);
  return {
    status: 503,
    body: {
      ready: false,
      checks: [{ name: "mainThread", ready: false, detail }],
      error: { code: "not_ready", message: `Not ready: mainThread: ${detail}`, problems: [`mainThread: ${detail}`] },
    },
  };
};

const stuckMessage = (silentMillis: number) =>
  `The main thread has done nothing else for ${Math.round(silentMillis / 1_000)} s: restart the node if that goes on.`;

/** How the reads of the control address were answered, for `/metrics`. */
export class ReadCounts {
  readonly main = { reads: 0 };
  readonly known = { reads: 0 };
  readonly busy = { reads: 0 };

  /** Lines in Prometheus's text format. */
  metrics(silentMillis: number): string {
    const reads = (["main", "known", "busy"] as const).map(
      (from) => `spillway_control_reads_total{from="${from}"} ${this[from].reads}`,
    );
    return [
      "# HELP spillway_control_reads_total Reads at the control address, by who answered: the main thread, what was known last, or nobody (busy).",
      "# TYPE spillway_control_reads_total counter",
      ...reads,
      "# HELP spillway_control_silent_seconds Since the main thread's event loop turned last.",
      "# TYPE spillway_control_silent_seconds gauge",
      `spillway_control_silent_seconds ${silentMillis / 1_000}`,
      "",
    ].join("\n");
  }
}
