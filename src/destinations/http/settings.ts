import type { HttpDestination } from "../../domain/destination.ts";
import { urlProblems } from "../guard.ts";
import { type Derived, invalid, type SettingsProblem } from "../settings-problem.ts";

const headersMax = 50;
const headerBytesMax = 8_192;

/** An http destination, checked and taken apart once, so that a push only adds what differs. */
export interface HttpSettings {
  readonly origin: string;
  /** `host:port`, the default port left out. */
  readonly host: string;
  /** With the query: may hold a token, never to be logged. */
  readonly path: string;
  /** The URL without userinfo, query and fragment: fit for a log line. */
  readonly location: string;
  /** Names and values alternating; the customer's own, and Authorization from the URL's userinfo. */
  readonly headers: ReadonlyArray<string>;
  readonly millisMax: number;
  readonly stallMillisMax: number;
}

export const deriveHttp = (
  destination: HttpDestination,
  options: {
    readonly allowPrivateDestinations: boolean;
    readonly pushMillisMax: number;
    readonly pushStallMillisMax: number;
  },
): Derived<HttpSettings> => {
  if (!URL.canParse(destination.url)) return { ok: false, problems: [invalid("url is not a URL")] };
  const url = new URL(destination.url);
  const authorization = basicAuthorization(url);
  const headers = Object.entries(destination.headers ?? {});
  const problems = [
    ...urlProblems(url, options.allowPrivateDestinations),
    ...(authorization === undefined ? [invalid("url has userinfo with a broken percent-encoding")] : []),
    ...headerProblems(headers, authorization !== undefined && authorization.length > 0),
  ];
  if (problems.length > 0 || authorization === undefined) return { ok: false, problems };
  const millis = destination.timeoutSeconds === undefined ? Infinity : destination.timeoutSeconds * 1_000;
  return {
    ok: true,
    settings: {
      origin: url.origin,
      host: url.host,
      path: `${url.pathname}${url.search}`,
      location: `${url.origin}${url.pathname}`,
      headers: [
        ...(headers.some(([name]) => name.toLowerCase() === "user-agent") ? [] : ["User-Agent", "Spillway"]),
        ...authorization,
        ...headers.flat(),
      ],
      millisMax: Math.min(millis, options.pushMillisMax),
      stallMillisMax: options.pushStallMillisMax,
    },
  };
};

/** Userinfo as a header, name and value; nothing when there is none; undefined when it cannot be decoded. */
const basicAuthorization = (url: URL): ReadonlyArray<string> | undefined => {
  if (url.username === "" && url.password === "") return [];
  try {
    const userinfo = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return ["Authorization", `Basic ${Buffer.from(userinfo).toString("base64")}`];
  } catch {
    return undefined;
  }
};

/** Ours: what the receiver must be able to rely on, whatever a customer writes. */
const ourHeader = /^(?:content-(?:type|encoding|length)|idempotency-key|spillway-.*)$/;

/** The connection's: would let a customer reshape the request itself. */
const connectionHeader =
  /^(?:host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|http2-settings)$/;

const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const headerValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

const headerProblems = (
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  authorised: boolean,
): ReadonlyArray<SettingsProblem> => {
  const seen = new Set(authorised ? ["authorization"] : []);
  const problems: Array<SettingsProblem> = [];
  let bytes = 0;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    bytes += name.length + value.length;
    if (!headerName.test(name))
      problems.push(invalid(`header name ${JSON.stringify(name.slice(0, 64))} is not a token`));
    else if (ourHeader.test(lower)) problems.push(invalid(`header ${name} is set by Spillway`));
    else if (connectionHeader.test(lower)) problems.push(invalid(`header ${name} belongs to the connection`));
    else if (seen.has(lower)) problems.push(invalid(`header ${name} is given twice`));
    if (!headerValue.test(value))
      problems.push(invalid(`the value of header ${name.slice(0, 64)} has forbidden characters`));
    seen.add(lower);
  }
  if (headers.length > headersMax) problems.push(invalid(`more than ${headersMax} headers`));
  if (bytes > headerBytesMax) problems.push(invalid(`headers of more than ${headerBytesMax} bytes`));
  return problems;
};
