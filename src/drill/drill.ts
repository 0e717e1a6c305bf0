import type { Effect } from "effect";
import type { FaultName, GuardName } from "../domain/drill-state.ts";
import type { LimitReport } from "../api/reports.ts";
import type { Limits } from "../domain/limits.ts";
import type { DrillFailure } from "./drill-failure.ts";
import type { Figures } from "./record/figures.ts";
import type { Sample } from "./record/sample.ts";
import type { Behaviour } from "./traffic/messages.ts";
import type { DrillWorld, WorldPlan } from "./world/drill-world.ts";

/** One phase of a drill. Traffic goes on through all of them. */
export interface Phase {
  readonly name: string;
  /** For people: what happens in it. */
  readonly about: string;
  /** `fault`: something is broken. Detection is counted from its beginning, recovery from its end. */
  readonly kind: "baseline" | "fault" | "recovery";
  /** Unless somebody asks for another length. */
  readonly seconds: number;
}

/** What a drill can do to its world while it runs. */
export interface Stage {
  readonly world: DrillWorld;
  /** All of the drill's customers, each with a push job. */
  readonly customers: ReadonlyArray<string>;
  /** Those that the drill hurts directly. */
  readonly faulted: ReadonlyArray<string>;
  /** How destinations answer from now on. */
  readonly behave: (customers: ReadonlyArray<string>, behaviour: Behaviour) => Effect.Effect<void>;
  /** Records a second, in multiples of the ordinary rate. */
  readonly rate: (customers: ReadonlyArray<string>, factor: number) => Effect.Effect<void>;
  /** Orders push jobs for so many of the strangers, as a person does who accepts how many they are. */
  readonly orderForStrangers: (count: number) => Effect.Effect<void, DrillFailure>;
  /** Takes them out again. */
  readonly withdrawFromStrangers: Effect.Effect<void, DrillFailure>;
  /** Takes these push jobs out of the store, in one transaction; whether that comes into force is not awaited. */
  readonly removeJobs: (customers: ReadonlyArray<string>) => Effect.Effect<void, DrillFailure>;
  /** Puts them back, as they were, and waits until they are in force. */
  readonly restoreJobs: (customers: ReadonlyArray<string>) => Effect.Effect<void, DrillFailure>;
  /** A new dataset is put into the catalogue, or taken out of it; false: not in a world that is not ours. */
  readonly newDataset: (isThere: boolean) => Effect.Effect<boolean, DrillFailure>;
  /** Changes a customer's push job, at a node that takes records: it is delivered to another address from then on. */
  readonly moveJob: (customer: string) => Effect.Effect<void, DrillFailure>;
  /** Records of so many customers without a push job; 0 a second ends it. */
  readonly strangers: (count: number, recordsPerSecond: number) => Effect.Effect<void>;
  /** On every node, until it is disarmed or the drill should have ended long since. */
  readonly arm: (fault: FaultName) => Effect.Effect<void, DrillFailure>;
  readonly disarm: Effect.Effect<void, DrillFailure>;
}

/** A figure that must be within a bound for the drill to pass, with all guards on. */
export interface Bar {
  readonly figure: NumericFigure;
  readonly relation: "atMost" | "atLeast";
  readonly bound: number;
  /** For people: what it means. */
  readonly about: string;
}

/** Figures that are a number, or null where there was nothing to measure: no bar holds for null. */
export type NumericFigure = {
  [K in keyof Figures]: Figures[K] extends number | null ? K : never;
}[keyof Figures];

/** A limit that a drill drives the system into, and how it is seen that it got there. */
export interface Exercise {
  readonly limit: keyof Limits;
  /** For people: what shows it. */
  readonly seen: string;
  readonly isReached: (evidence: Evidence) => boolean;
}

/** What a run leaves to tell from whether a limit was reached. */
export interface Evidence {
  readonly samples: ReadonlyArray<Sample>;
  readonly figures: Figures;
  /** At the end of the run, of all nodes. */
  readonly limits: ReadonlyArray<LimitReport>;
}

/** A protection that the drill shows at work: the report has a row for each. */
export interface ShownGuard {
  readonly name: GuardName;
  /** For people: which step of the fault it stops. */
  readonly stops: string;
}

/** One thing that a drill breaks, and how it is seen that the system knows. */
export interface DrillFault {
  readonly name: string;
  /** It is broken from the beginning of this phase on. */
  readonly phase: string;
  /** Rules of which one fires because of it; undefined: whichever fires is taken for it. */
  readonly alerts?: ReadonlyArray<string>;
  /** What shows it beside an alert, compared with how it was before the fault; undefined: nothing does. */
  readonly noticed: (sample: Sample, baseline: Sample | undefined) => string | undefined;
}

/** A scripted overload or fault, and what must hold all the same. */
export interface Drill {
  /** Kebab-case; what `spillway drill run` takes. */
  readonly name: string;
  /** One line for `spillway drill list`. */
  readonly summary: string;
  readonly phases: ReadonlyArray<Phase>;
  /** The world that is made for it, for so many customers, when it does not run against one that is there. */
  readonly plan: (customers: number) => WorldPlan;
  /** Why it needs a world of its own; undefined: a target will do. */
  readonly embeddedOnly: string | undefined;
  readonly traffic: { readonly recordsPerSecond: number; readonly recordBytes: number };
  /** Which of the customers it hurts directly; the others are the steady ones. */
  readonly faulted: (customers: ReadonlyArray<string>) => ReadonlyArray<string>;
  /** Run at the beginning of each phase. */
  readonly enter: (phase: Phase, stage: Stage) => Effect.Effect<void, DrillFailure>;
  /** What shows that the system itself has noticed, beside an alert; undefined: nothing does. */
  readonly noticed: DrillFault["noticed"];
  /** Where it breaks several things: each is to be noticed. Undefined: one, from the first fault phase on. */
  readonly faults?: ReadonlyArray<DrillFault>;
  readonly guards: ReadonlyArray<ShownGuard>;
  readonly exercises: ReadonlyArray<Exercise>;
  readonly bars: ReadonlyArray<Bar>;
  /** What the figures are to be compared with, for people; undefined: nothing. */
  readonly compared?: (figures: Figures) => string;
}
