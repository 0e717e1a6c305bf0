import { Metric } from "effect";

export const controlThreadStarts = Metric.counter("spillway_control_thread_starts", {
  description: "Starts of the control thread: more than one means that it ended unexpectedly.",
  incremental: true,
});
