import type { Limits } from "../../domain/limits.ts";
import type { Bar } from "../drill.ts";

/** What every drill must hold, whatever it does. */
export const always: ReadonlyArray<Bar> = [
  {
    figure: "steadyLost",
    relation: "atMost",
    bound: 0,
    about: "customers that are not part of the fault lose nothing",
  },
  { figure: "acknowledgedLost", relation: "atMost", bound: 0, about: "what was acknowledged is delivered" },
  { figure: "unexplained", relation: "atMost", bound: 0, about: "the books balance" },
  { figure: "misdelivered", relation: "atMost", bound: 0, about: "nobody gets another's records" },
  { figure: "restarts", relation: "atMost", bound: 0, about: "nobody has to restart anything" },
];

export const nothingLost: Bar = {
  figure: "configuredLost",
  relation: "atMost",
  bound: 0,
  about: "no record of a customer with a push job is lost",
};

export const lagStays: Bar = {
  figure: "p99LagRatio",
  relation: "atMost",
  bound: 1.5,
  about: "customers that are not part of the fault get their records as soon as before it",
};

export const buffersWithinLimit: Bar = {
  figure: "buffersOverLimit",
  relation: "atMost",
  bound: 0,
  about: "there are never more buffers than there may be",
};

export const noStrangers: Bar = {
  figure: "strangersStored",
  relation: "atMost",
  bound: 0,
  about: "nothing is stored of customers without a push job",
};

export const recoversWithin = (seconds: number): Bar => ({
  figure: "recoverSeconds",
  relation: "atMost",
  bound: seconds,
  about: "after the end of the fault, what was offered before it comes soon",
});

export const detectsWithin = (seconds: number): Bar => ({
  figure: "detectSeconds",
  relation: "atMost",
  bound: seconds,
  about: "the system itself says that something is wrong",
});

export const alertsWithin = (seconds: number): Bar => ({
  figure: "alertSeconds",
  relation: "atMost",
  bound: seconds,
  about: "people are told of each thing that is broken",
});

export const changeLiveWithin = (seconds: number): Bar => ({
  figure: "changeLiveSeconds",
  relation: "atMost",
  bound: seconds,
  about: "a push job that was changed during the fault is delivered as it says soon after it",
});

/** A drill does not wait for minutes until somebody tries again. */
export const briskRetries: Partial<Limits> = {
  retryBaseMillis: 200,
  retryMillisMax: 2_000,
  circuitOpenMillisFirst: 500,
  circuitOpenMillisMax: 2_000,
};
