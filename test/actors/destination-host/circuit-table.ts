/** Where a circuit rests between two events. */
export type CircuitResting = "closed" | "open" | "ready" | "probing";

export const circuitEventNames = [
  "host.answered",
  "host.failed",
  "time.passed, too early",
  "time.passed",
  "probe.began",
  "probe.answered",
  "probe.failed",
  "probe.abandoned",
] as const;
export type CircuitEventName = (typeof circuitEventNames)[number];

/** Where each event leads from each state. No `Partial`: a new one does not compile without its answers. */
export const circuitTable: Record<CircuitResting, Record<CircuitEventName, CircuitResting>> = {
  /** With one failure less than it takes. */
  closed: {
    "host.answered": "closed",
    "host.failed": "open",
    "time.passed, too early": "closed",
    "time.passed": "closed",
    "probe.began": "closed",
    "probe.answered": "closed",
    "probe.failed": "closed",
    "probe.abandoned": "closed",
  },
  open: {
    "host.answered": "open",
    "host.failed": "open",
    "time.passed, too early": "open",
    "time.passed": "ready",
    "probe.began": "open",
    "probe.answered": "open",
    "probe.failed": "open",
    "probe.abandoned": "open",
  },
  ready: {
    "host.answered": "ready",
    "host.failed": "ready",
    "time.passed, too early": "ready",
    "time.passed": "ready",
    "probe.began": "probing",
    "probe.answered": "ready",
    "probe.failed": "ready",
    "probe.abandoned": "ready",
  },
  probing: {
    "host.answered": "probing",
    "host.failed": "probing",
    "time.passed, too early": "probing",
    "time.passed": "probing",
    "probe.began": "probing",
    "probe.answered": "closed",
    "probe.failed": "open",
    "probe.abandoned": "ready",
  },
};
