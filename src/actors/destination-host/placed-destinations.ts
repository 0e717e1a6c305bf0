import { Effect, Layer, Random } from "effect";
import { deferred, type PushOutcome } from "../../domain/push-outcome.ts";
import { Destinations, type OpenDestination, type PushRequest } from "../ports/destinations.ts";
import { KillSwitches } from "../ports/kill-switches.ts";
import { DestinationHosts } from "./destination-hosts.ts";
import { switchedOff } from "./switched-off.ts";
import type { PushTicket } from "./ticket.ts";

/**
 * Destinations whose every push waits for a place and heeds its host's window, circuit and pauses: for what is pushed
 * beside the live delivery, so that no replay takes a host from it.
 *
 * @param lane what the shares of these jobs are called, apart from those of the live delivery
 */
export const layerPlacedDestinations = (
  lane: string,
): Layer.Layer<Destinations, never, Destinations | DestinationHosts> =>
  Layer.effect(
    Destinations,
    Effect.gen(function* () {
      const destinations = yield* Destinations;
      const hosts = yield* DestinationHosts;
      const switches = yield* KillSwitches;
      const random = yield* Random.Random;
      const jitter = () => random.nextDoubleUnsafe();
      return Destinations.of({
        open: (job) =>
          Effect.map(destinations.open(job), (destination): OpenDestination => ({
            ...destination,
            push: (request) =>
              placed(hosts, `${lane}/${job.id}`, destination, request, () =>
                switchedOff(switches, job, destination.host, jitter),
              ),
          })),
      });
    }),
  );

const placed = (
  hosts: DestinationHosts["Service"],
  job: string,
  { host, push }: OpenDestination,
  request: PushRequest,
  held: () => PushOutcome | undefined,
): Effect.Effect<PushOutcome> =>
  Effect.suspend(() => {
    let place: PushTicket | undefined;
    let waiting: PushTicket | undefined;
    let outcome: PushOutcome | undefined;
    const before = held();
    if (before !== undefined) return Effect.succeed(before);
    const entered = Effect.callback<PushOutcome | undefined>((resume) => {
      waiting = hosts.enter({
        job,
        host,
        weight: 1,
        bytes: request.batch.bytes,
        attempt: request.attempt,
        begin: (ticket) => {
          place = ticket;
          // It may have been switched off while it waited.
          resume(Effect.succeed(held()));
        },
        refuse: (reason, retryAfterMillis) =>
          resume(Effect.succeed(deferred(reason, "not tried", { retryAfterMillis, ambiguous: false }))),
      });
    });
    return entered.pipe(
      Effect.flatMap((refused) =>
        refused === undefined
          ? Effect.tap(push(request), (said) => Effect.sync(() => (outcome = said)))
          : Effect.succeed(refused),
      ),
      // Interrupted while it waits, it must not hold a place that nobody uses; nor for ever when it had one.
      Effect.ensuring(
        Effect.sync(() => {
          if (place !== undefined) hosts.leave(place, outcome);
          else if (waiting !== undefined) hosts.cancel(waiting);
        }),
      ),
    );
  });
