import { TestClock } from "effect/testing";

/**
 * The clock of a simulation. After this long a step that is still computing is no more waited for, and what comes next
 * depends on how busy the machine is: with the second that is usual elsewhere a seed was not always the same run.
 */
export const layerSimulatedClock = TestClock.layer({ warningDelay: "10 minutes" });
