import { Effect, Schedule } from "effect";
import type { ConfigStatus } from "../../domain/config-report.ts";
import type { Drill, Stage } from "../drill.ts";
import { drillFailure } from "../drill-failure.ts";
import { always, changeLiveWithin, detectsWithin, lagStays, nothingLost, recoversWithin } from "./bars.ts";
import { configDrill } from "./config-drill.ts";

/** Whatever a node receives of a new snapshot is damaged, and somebody changes a push job. */
export const corruptSnapshot: Drill = {
  ...configDrill,
  name: "corrupt-snapshot",
  summary: "Snapshots are damaged on their way to nodes: these go on with the last good one, and lose no change",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 6, about: "every customer sends the same" },
    { name: "damaged", kind: "fault", seconds: 9, about: "a push job is changed, and its snapshot arrives damaged" },
    { name: "recovery", kind: "recovery", seconds: 10, about: "snapshots arrive whole; what was frozen is released" },
  ],
  enter: (phase, stage) => {
    if (phase.kind === "baseline") return Effect.void;
    return phase.kind === "fault"
      ? Effect.andThen(stage.arm("snapshot.corrupt"), stage.moveJob(stage.customers[0]!))
      : Effect.andThen(stage.disarm, release(stage));
  },
  guards: [{ name: "lastKnownGood", stops: "a node from serving nothing when it is not given a good snapshot" }],
  exercises: [],
  bars: [...always, nothingLost, lagStays, recoversWithin(10), detectsWithin(5), changeLiveWithin(12)],
};

/** Damaged snapshots are tried again every five seconds. */
const releaseSeconds = 10;

/** What operators do: the rollout that went back has frozen the configuration. Only then, for there may be nothing. */
const release = ({ world }: Stage) =>
  Effect.gen(function* () {
    const { client } = world.nodes[0]!;
    const status = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).json as ConfigStatus;
    if (status.rollout.state !== "idle") return yield* drillFailure("the rollout has not gone back yet");
    if (status.frozen !== null) yield* client.ask({ method: "POST", path: "/v1/config/unfreeze", json: {} });
  }).pipe(
    Effect.retry({ schedule: Schedule.spaced("250 millis"), times: releaseSeconds * 4 }),
    // What was not released is seen: the change never comes into force.
    Effect.ignore,
  );
