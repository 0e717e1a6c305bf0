import { Config, Effect, Option, Redacted } from "effect";
import { Flag } from "effect/cli";
import { misused } from "./command-failure.ts";

/** Which node a command talks to, and with which token. */
export interface Connection {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token: Redacted.Redacted | undefined;
  /** Why something is changed, for the audit log. */
  readonly reason?: string | undefined;
}

export const defaultUrl = "http://127.0.0.1:8080";
const defaultControlUrl = "http://127.0.0.1:8081";

/**
 * For everything but records. The control address answers whatever the data path does; the data address answers the
 * same while it has time, so that one URL is enough for who has just one.
 */
export const urlFlag = Flag.String("url").pipe(
  Flag.withDescription(`Address of the node (default: SPILLWAY_CONTROL_URL, SPILLWAY_URL, else ${defaultControlUrl})`),
  Flag.withFallbackConfig(
    Config.String("SPILLWAY_CONTROL_URL").pipe(Config.orElse(() => Config.String("SPILLWAY_URL"))),
  ),
  Flag.withDefault(defaultControlUrl),
);

/** For records: only the data address takes them. */
export const dataUrlFlag = Flag.String("url").pipe(
  Flag.withDescription(`Data address of the node (default: SPILLWAY_URL, else ${defaultUrl})`),
  Flag.withFallbackConfig(Config.String("SPILLWAY_URL")),
  Flag.withDefault(defaultUrl),
);

export const jsonFlag = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON, for scripts"),
  Flag.withDefault(false),
);

/** The token comes from the environment only: a flag would show it to every user of the machine. */
export const connectionTo = Effect.fnUntraced(function* (url: string) {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return yield* misused(`--url must be like ${defaultUrl}, not "${url}"`);
  }
  const token = yield* Config.option(Config.Redacted("SPILLWAY_TOKEN")).pipe(
    Effect.mapError(() => misused("SPILLWAY_TOKEN cannot be read")),
  );
  const reason = yield* Config.option(Config.String("SPILLWAY_REASON")).pipe(
    Effect.mapError(() => misused("SPILLWAY_REASON cannot be read")),
  );
  const usable = Option.filter(token, (value) => Redacted.value(value) !== "");
  return {
    url: url.replace(/\/+$/, ""),
    token: Option.getOrUndefined(usable),
    reason: Option.getOrUndefined(reason),
  } satisfies Connection;
});

export const authorizationOf = ({ token }: Connection): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` };
