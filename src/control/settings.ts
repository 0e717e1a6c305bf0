import { Config, Effect, Option, Redacted, Result, Schema } from "effect";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { contradictions, Limits } from "../domain/limits.ts";
import { isLoopback, type Listen, parseListen } from "./listen.ts";
import { problemLines, problemText } from "./problem.ts";
import { readSource } from "./read-source.ts";
import { environmentSettings } from "./settings-environment.ts";
import { type Role, settingsDefaults, type WrittenSettings, WrittenSettings as Written } from "./settings-schema.ts";
import { strictDecode } from "./strict-decode.ts";

/** Settings that cannot be used, with everything that is wrong with them, one line each. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  problems: Schema.Array(Schema.String),
  message: Schema.String,
}) {}

/** What a node was told, decoded and complete. Secrets stay Redacted. */
export interface Settings {
  /** The data address: ingest, and the API as far as the main thread has time for it. */
  readonly listen: Listen;
  /** The control address: everything but ingest, from a thread of its own. */
  readonly controlListen: Listen & {
    /** Nobody chose it: another port will do when this one is taken. */
    readonly derived: boolean;
  };
  readonly nats: {
    /** `host:port`, comma-separated; of no use when `embedded`. */
    readonly servers: string;
    readonly replicas: number;
    readonly token: Redacted.Redacted | undefined;
  };
  /** Start and supervise an own nats-server. */
  readonly embedded: boolean;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Fixed when the streams are created. */
  readonly partitions: number;
  readonly roles: ReadonlyArray<Role>;
  readonly allowPrivateDestinations: boolean;
  readonly nodeName: string;
  /** More catalogue entries, absolute; undefined: only the shipped ones. */
  readonly datasetsDirectory: string | undefined;
  /** Alert rules instead of the shipped ones, absolute; undefined: the shipped ones. */
  readonly alertRulesFile: string | undefined;
  /** A target of drills. */
  readonly drill: boolean;
  /** Required of every request when set; must be set when listening on more than loopback. */
  readonly token: Redacted.Redacted | undefined;
  /** Where alerts are posted to; such an URL is a credential. */
  readonly alertWebhookUrl: Redacted.Redacted | undefined;
  readonly limits: Limits;
}

export interface SettingsSources {
  /** `config/<profile>.json` over the defaults. */
  readonly profile?: "development" | "production";
  /** `serve --config`: YAML or JSON. */
  readonly configFile?: string;
  /** What the command line says: stronger than everything else. */
  readonly overrides?: WrittenSettings;
}

/** From weakest to strongest: defaults, profile, config file, environment (`SPILLWAY_*`), command line. */
export const loadSettings = Effect.fn("control.loadSettings")(function* (
  sources: SettingsSources,
): Effect.fn.Return<Settings, SettingsError> {
  const files = [
    shipped("default"),
    ...(sources.profile === undefined ? [] : [shipped(sources.profile)]),
    ...(sources.configFile === undefined ? [] : [sources.configFile]),
  ];
  const read = yield* Effect.forEach(files, (file) => Effect.result(readSettings(file)));
  const environment = yield* environmentSettings;
  const problems = [
    ...read.flatMap((each) => (Result.isFailure(each) ? each.failure : [])),
    ...environment.problems,
    ...overrideProblems(sources.overrides),
  ];
  if (problems.length > 0) return yield* failure(problems);
  const merged = [
    ...read.flatMap((each) => (Result.isSuccess(each) ? [each.success] : [])),
    environment.written,
    sources.overrides ?? {},
  ].reduce<WrittenSettings>(over, settingsDefaults);
  const { alertWebhookUrl, natsToken, token } = yield* secrets.pipe(
    Effect.mapError(({ message }) => failure([message])),
  );
  const webhook = Option.getOrUndefined(alertWebhookUrl);
  if (webhook !== undefined && !isWebhookUrl(Redacted.value(webhook))) return yield* failure([webhookProblem]);
  return { ...(yield* complete(merged, token, natsToken)), alertWebhookUrl: webhook };
});

/** The same depth below the package's root in a clone (`src/`) and in the package (`dist/`). */
const shipped = (name: string): string => fileURLToPath(new URL(`../../config/${name}.json`, import.meta.url));

const readSettings = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<WrittenSettings, ReadonlyArray<string>> {
  const document = yield* readSource(file);
  const decoded = strictDecode(Written, document.value ?? {}, isQuotable);
  return Result.isSuccess(decoded) ? decoded.success : yield* Effect.fail(document.explain(decoded.failure));
});

/** A server's address may hold a password: `nats://user:password@host`. */
const isQuotable = (path: ReadonlyArray<string | number>): boolean => path[0] !== "nats" || path[1] === "replicas";

const overrideProblems = (overrides: WrittenSettings | undefined): ReadonlyArray<string> => {
  if (overrides === undefined) return [];
  const decoded = strictDecode(Written, overrides, isQuotable);
  return Result.isSuccess(decoded) ? [] : decoded.failure.map((problem) => `command line: ${problemText(problem)}`);
};

/** Objects are merged, everything else is replaced. */
const over = (weaker: WrittenSettings, stronger: WrittenSettings): WrittenSettings => ({
  ...weaker,
  ...stronger,
  nats: { ...weaker.nats, ...stronger.nats },
  limits: { ...weaker.limits, ...stronger.limits },
});

const secret = (name: string) => Config.Redacted(name).pipe(Config.option);

const secrets = Config.unwrap({
  token: secret("SPILLWAY_TOKEN"),
  natsToken: secret("SPILLWAY_NATS_TOKEN"),
  alertWebhookUrl: secret("SPILLWAY_ALERT_WEBHOOK_URL"),
});

const isWebhookUrl = (written: string): boolean => {
  const url = URL.parse(written);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
};

/** Without the URL itself: whoever knows it may post there. */
const webhookProblem = "SPILLWAY_ALERT_WEBHOOK_URL: must be an http or https URL without user name and password";

const complete = (
  merged: WrittenSettings,
  token: Option.Option<Redacted.Redacted>,
  natsToken: Option.Option<Redacted.Redacted>,
): Effect.Effect<Omit<Settings, "alertWebhookUrl">, SettingsError> => {
  const { allowPrivateDestinations, dataDirectory, embedded, listen: where, nats, partitions, roles } = merged;
  const listen = parseListen(where ?? "");
  const controlListen = controlListenOf(merged.controlListen, listen);
  const limits = strictDecode(Limits, merged.limits ?? {}, () => true);
  const problems = [
    ...(Result.isFailure(limits) ? limits.failure : []).map((each) =>
      problemText({ ...each, path: ["limits", ...each.path] }),
    ),
    ...(Result.isSuccess(limits) ? contradictions(limits.success) : []).map((text) => `limits: ${text}`),
    ...listenProblems("listen", listen, token),
    ...(merged.controlListen === undefined ? [] : listenProblems("controlListen", controlListen, token)),
    ...(embedded === true || (nats?.servers ?? "") !== ""
      ? []
      : ["nats.servers: is missing: name the NATS servers (host:port, comma-separated), or set embedded to true"]),
    ...(embedded === true && (nats?.replicas ?? 1) > 1
      ? [`nats.replicas: must be 1 with the embedded nats-server, got ${nats?.replicas}`]
      : []),
  ];
  if (problems.length > 0 || listen === undefined || controlListen === undefined || Result.isFailure(limits)) {
    return Effect.fail(failure(problems));
  }
  return Effect.succeed({
    listen,
    controlListen,
    nats: { servers: nats?.servers ?? "", replicas: nats?.replicas ?? 1, token: Option.getOrUndefined(natsToken) },
    embedded: embedded ?? false,
    dataDirectory: resolve(dataDirectory ?? ".spillway"),
    partitions: partitions ?? 8,
    roles: roles ?? [],
    allowPrivateDestinations: allowPrivateDestinations ?? false,
    nodeName: merged.nodeName ?? hostname(),
    datasetsDirectory: merged.datasetsDirectory === undefined ? undefined : resolve(merged.datasetsDirectory),
    alertRulesFile: merged.alertRulesFile === undefined ? undefined : resolve(merged.alertRulesFile),
    drill: merged.drill ?? false,
    token: Option.getOrUndefined(token),
    limits: limits.success,
  });
};

const controlListenOf = (
  written: string | undefined,
  data: Listen | undefined,
): Settings["controlListen"] | undefined => {
  const listen = written === undefined ? data : parseListen(written);
  if (listen === undefined || written !== undefined) return listen && { ...listen, derived: false };
  // A free one goes with a free one.
  const port = listen.port === 0 || listen.port === 65_535 ? 0 : listen.port + 1;
  return { host: listen.host, port, derived: true };
};

const listenProblems = (
  key: "listen" | "controlListen",
  listen: Listen | undefined,
  token: Option.Option<Redacted.Redacted>,
): ReadonlyArray<string> => {
  if (listen === undefined) return [`${key}: must be host:port, such as 127.0.0.1:8080 or [::1]:8080`];
  if (isLoopback(listen) || Option.isSome(token)) return [];
  return [
    `${key}: ${listen.host} can be reached from other machines, which requires a token: set the environment variable SPILLWAY_TOKEN, or listen on 127.0.0.1`,
  ];
};

const failure = (problems: ReadonlyArray<string>) =>
  new SettingsError({ problems: problemLines(problems), message: problems.join("\n") });
