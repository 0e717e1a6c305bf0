import { pulseMillis } from "./pulse.ts";

/** How long a read waits for the main thread, and what it gets then. */

export interface Waiting {
  /** Since the read came in. */
  readonly waitedMillis: number;
  /** Since the main thread's event loop turned last. */
  readonly silentMillis: number;
  /** Age of what is known; undefined when nothing is. */
  readonly knownMillis: number | undefined;
  /** The reader wants the truth (`Cache-Control: no-cache`), or the answer is one that is never kept. */
  readonly insists: boolean;
}

/** `known`: answer with what was known last. `busy`: 503, come again. */
export type Patience = "wait" | "known" | "busy";

/** Knowledge that may stand for the present while the main thread is merely slow. */
const freshMillisMax = 5_000;
/** Without a turn for so long, the main thread is doing one long thing. */
const stalledMillis = 3 * pulseMillis;
/** A reader who asks for what is not known gets an answer all the same, if the main thread comes back by then. */
const unknownMillisMax = 1_000;
/** Reading the log for an audit takes as long as it does. */
const readMillisMax = 3_600_000;

export const patience = (
  { insists, knownMillis, silentMillis, waitedMillis }: Waiting,
  limits: { readonly controlAnswerMillisMax: number; readonly controlSilentMillisMax: number },
): Patience => {
  if (waitedMillis < limits.controlAnswerMillisMax) return "wait";
  const stalled = silentMillis >= stalledMillis;
  if (knownMillis !== undefined && !insists && (stalled || knownMillis <= freshMillisMax)) return "known";
  const silentMillisMax = insists ? limits.controlSilentMillisMax : unknownMillisMax;
  if (silentMillis >= silentMillisMax || waitedMillis >= readMillisMax) return "busy";
  return "wait";
};
