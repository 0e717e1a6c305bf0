import { Effect, Layer } from "effect";
import { layerNodeAdmission } from "../actors/admission/admission.ts";
import { BufferActors } from "../actors/buffer/actor.ts";
import { layerPlacedDestinations } from "../actors/destination-host/placed-destinations.ts";
import { DestinationHosts } from "../actors/destination-host/destination-hosts.ts";
import { DeadLetterWriter } from "../actors/buffer/dead-letter-writer.ts";
import { Owner } from "../actors/owner.ts";
import { Log } from "../actors/ports/log.ts";
import { Replays } from "../actors/replay/replays.ts";
import type { Role } from "../control/settings-schema.ts";
import { layerDestinations } from "../destinations/registry.ts";
import type { Limits } from "../domain/limits.ts";
import { AlertReadings } from "../observability/alert-readings.ts";
import { LossesBefore } from "../observability/losses.ts";
import { layerBacklogs } from "../streams/backlog-reports.ts";
import { layerCheckpoints, seedRegister } from "../streams/checkpoint-store.ts";
import { layerDeadLetters } from "../streams/dead-letters.ts";
import { layerKillSwitches } from "../streams/kill-switches.ts";
import { layerLog } from "../streams/log.ts";
import { layerOutbox } from "../streams/outbox.ts";
import { keepOpening } from "../streams/store-opening.ts";
import { reconcileDeadLetters, reconcileTopology } from "../streams/topology.ts";
import { WriteHints } from "../streams/write-hints.ts";
import { readNode } from "./read-node.ts";
import { layerServedJobs, NodeConfiguration } from "./served-jobs.ts";

export interface NodeLayerOptions {
  readonly nodeName: string;
  readonly partitions: number;
  readonly roles: ReadonlyArray<Role>;
  readonly replicas: number;
  readonly dataDirectory: string;
  readonly allowPrivateDestinations: boolean;
  readonly limits: Limits;
}

/** How long a checkpoint, or a read of rows, may take. */
const checkpointAnswerMillis = 5_000;
/** So long a start waits for the stream of dead letters. Until it is there, a letter's record waits. */
const deadLettersMillisMax = 3_000;

/** Streams exist, and an empty log has its first register, before anything is stored. */
const layerTopology = (options: NodeLayerOptions) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { limits, partitions, replicas } = options;
      yield* reconcileTopology({ ...limits, partitions, replicas });
      const letters = yield* keepOpening("deadLetters", reconcileDeadLetters({ ...limits, replicas }));
      yield* letters.awaitOpen(deadLettersMillisMax);
      const log = yield* Log;
      yield* Effect.forEach(
        Array.from({ length: partitions }, (_, partition) => partition),
        (partition) =>
          Effect.flatMap(log.describe(partition), (info) => seedRegister(partition, info, checkpointAnswerMillis)),
        { concurrency: 8, discard: true },
      );
    }),
  );

/** Everything of a node between NATS and HTTP: streams, jobs, forwarder's outbox, owner. */
export const layerNode = (options: NodeLayerOptions) => {
  const { limits, partitions } = options;
  const shared = {
    ...limits,
    partitions,
    owner: options.nodeName,
    owns: options.roles.includes("owner"),
    bounds: { bytesMax: limits.bufferWindowBytesMax, closedBatchesMax: limits.bufferClosedBatchesMax },
  };
  const log = layerLog(limits).pipe(Layer.provideMerge(WriteHints.layer));
  const topology = layerTopology(options).pipe(Layer.provideMerge(log));
  const destinations = layerDestinations({
    allowPrivateDestinations: options.allowPrivateDestinations,
    pushMillisMax: limits.pushMillisMax,
    pushStallMillisMax: limits.pushStallMillisMax,
    multipartBytesMin: limits.s3MultipartBytesMin,
    connectionsPerHostMax: limits.pushesPerHostMax,
  });
  const backlogs = layerBacklogs({ partitions });
  const deadLetters = layerDeadLetters({ ...limits, timeoutMillis: checkpointAnswerMillis });
  const letters = DeadLetterWriter.layer(limits).pipe(Layer.provide(deadLetters));
  const hosts = DestinationHosts.layer(limits);
  const switches = layerKillSwitches({ ...options, killSwitchesMax: limits.killSwitchesMax });
  const checkpoints = layerCheckpoints({ ...limits, timeoutMillis: checkpointAnswerMillis });
  const owner = Layer.unwrap(
    Effect.map(NodeConfiguration, ({ follower }) =>
      Owner.layer({
        ...shared,
        // The configurations were begun anew.
        isForgotten: (snapshot) => {
          const newest = follower.newest();
          return newest !== undefined && newest < snapshot;
        },
      }),
    ),
  ).pipe(
    Layer.provide(BufferActors.layer(limits).pipe(Layer.provide([destinations, hosts, letters, switches]))),
    Layer.provide(checkpoints),
  );
  const placed = layerPlacedDestinations("replay").pipe(Layer.provide([destinations, hosts, switches]));
  const replays = Replays.layer(shared).pipe(Layer.provideMerge(owner), Layer.provideMerge(placed));
  const admission = Layer.unwrap(Effect.map(readNode, (node) => layerNodeAdmission({ ...limits, ...node(limits) })));
  return Layer.mergeAll(replays, layerOutbox(shared), deadLetters, hosts, switches).pipe(
    Layer.provideMerge(admission),
    Layer.provideMerge(backlogs),
    Layer.provideMerge(AlertReadings.layer),
    Layer.provideMerge(LossesBefore.layer),
    Layer.provideMerge(layerServedJobs(options)),
    Layer.provideMerge(topology),
  );
};
