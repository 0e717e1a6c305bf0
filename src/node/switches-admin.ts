import { Clock, Effect } from "effect";
import { DestinationHosts } from "../actors/destination-host/destination-hosts.ts";
import { Owner } from "../actors/owner.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import { ApiUnavailable } from "../api/ports.ts";
import type { SwitchInput } from "../api/switch-reports.ts";
import { type SwitchAccount, SwitchesAdmin, SwitchRefused } from "../api/switches-port.ts";
import { type KillSwitch, nameOfSwitch, normalTarget, switchIdOf, targetProblem } from "../domain/kill-switch.ts";
import { KillSwitchStore } from "../streams/kill-switches.ts";
import { makeSwitchEffects } from "../streams/switch-effects.ts";
import type { SwitchNotWritten } from "../streams/switch-writes.ts";
import { backlogSwitched, jobsSwitched, stopsAnyJob } from "./jobs-switched.ts";

/** More than these are looked for among all jobs. */
const hostsLookedAt = 10_000;

/** Kill switches for the API: checked on the way in, in force on this node when the answer comes. */
export const makeSwitchesAdmin = Effect.fnUntraced(function* (options: { readonly partitions: number }) {
  const store = yield* KillSwitchStore;
  const jobs = yield* Jobs;
  const owner = yield* Owner;
  const hosts = yield* DestinationHosts;
  const backlogOf = yield* makeSwitchEffects<never>({
    partitions: options.partitions,
    own: (target) =>
      Effect.sync(() => {
        const states = [...owner.owned().values()].map(({ state }) => state);
        return backlogSwitched(states, jobs.served(), target);
      }),
  });

  /** Known without looking at all jobs. */
  const isPushedTo = ({ kind, target }: KillSwitch): boolean =>
    kind === "destination" && hosts.hosts(hostsLookedAt).some(({ host }) => host === target);

  return SwitchesAdmin.of({
    list: Effect.sync(() => store.list().toSorted((a, b) => a.sinceMillis - b.sinceMillis || (a.id < b.id ? -1 : 1))),
    add: Effect.fnUntraced(function* (input, account, dryRun) {
      const wanted = yield* switchOf(input, account);
      const isSure = input.force === true || wanted.kind === "everything" || isPushedTo(wanted);
      if (!isSure && !(yield* stopsAnyJob(jobs.served(), wanted))) {
        return yield* new SwitchRefused({
          kind: "conflict",
          code: "stops_nothing",
          detail: `No enabled push job has the ${nameOfSwitch(wanted)}: check the spelling, or use force.`,
        });
      }
      // Before anything is counted: with a million jobs that takes seconds.
      const isApplied = dryRun || (yield* store.put(wanted, input.replace === true).pipe(Effect.catch(notWritten)));
      const effect = { ...(yield* jobsSwitched(jobs.served(), wanted)), ...(yield* backlogOf(wanted)) };
      return { dryRun, switch: wanted, effect, ...appliedWhere(isApplied) };
    }),
    remove: Effect.fnUntraced(function* (id, account) {
      const removed = yield* store.remove(id, account).pipe(Effect.catch(notWritten));
      if (removed !== undefined) return { switch: removed.switch, ...appliedWhere(removed.applied) };
      return yield* new SwitchRefused({
        kind: "notFound",
        code: "not_on",
        detail: `There is no kill switch "${id.slice(0, 300)}" that is on.`,
      });
    }),
  });
});

const appliedWhere = (isApplied: boolean) => (isApplied ? {} : ({ applied: false } as const));

const switchOf = Effect.fnUntraced(function* (
  { forSeconds, kind, stops = "delivery", target = "" }: SwitchInput,
  account: SwitchAccount,
): Effect.fn.Return<KillSwitch, SwitchRefused> {
  const about = normalTarget({ kind, target });
  const problem = targetProblem(about, stops);
  if (problem !== undefined) {
    return yield* new SwitchRefused({ kind: "invalid", code: "invalid_switch", detail: `${problem}.` });
  }
  const sinceMillis = yield* Clock.currentTimeMillis;
  return {
    id: switchIdOf(about),
    ...about,
    stops,
    ...account,
    sinceMillis,
    ...(forSeconds === undefined ? {} : { untilMillis: sinceMillis + forSeconds * 1_000 }),
  };
});

const codes = { exists: "switch_exists", tooMany: "too_many_switches", conflict: "changed" } as const;

const notWritten = ({ detail, reason }: SwitchNotWritten): Effect.Effect<never, SwitchRefused | ApiUnavailable> => {
  const sentence = `${detail[0]!.toUpperCase()}${detail.slice(1)}.`;
  return reason === "unavailable"
    ? Effect.fail(new ApiUnavailable({ detail: sentence }))
    : Effect.fail(new SwitchRefused({ kind: "conflict", code: codes[reason], detail: sentence }));
};
