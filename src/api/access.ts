import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Who may ask what: decided from the request's head alone, before a body is read or a route is looked up. */

export interface Denial {
  readonly status: 401 | 403 | 414 | 421;
  readonly code: string;
  readonly message: string;
}

export interface AccessPolicy {
  /** SHA-256 of the token; undefined when none is required, which is possible on a loopback address only. */
  readonly tokenHash: Buffer | undefined;
}

/** Longest path and query, in characters. */
export const urlLengthMax = 2_048;

const openPaths = new Set(["/healthz", "/readyz"]);

export const tokenHashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

/** Undefined means: go on. */
export const denialOf = (
  policy: AccessPolicy,
  request: { readonly url: string; readonly headers: IncomingHttpHeaders },
): Denial | undefined => {
  if (request.url.length > urlLengthMax) {
    return { status: 414, code: "url_too_long", message: `The URL must not exceed ${urlLengthMax} characters.` };
  }
  if (policy.tokenHash !== undefined) {
    if (openPaths.has(pathOf(request.url))) return undefined;
    return tokenMatches(policy.tokenHash, request.headers.authorization) ? undefined : unauthorised;
  }
  return browserDenial(request.headers);
};

const unauthorised: Denial = {
  status: 401,
  code: "unauthorized",
  message: "Send the node's token: Authorization: Bearer <SPILLWAY_TOKEN>.",
};

/**
 * Without a token, being on this machine is the only credential, and every web page that its user visits is on this
 * machine too. A page of another site is known by its Origin; a page that had its name resolve to 127.0.0.1 (DNS
 * rebinding) by its Host.
 */
const browserDenial = (headers: IncomingHttpHeaders): Denial | undefined => {
  const host = headers.host;
  if (host !== undefined && !isLoopbackHost(hostnameOf(host))) {
    return {
      status: 421,
      code: "host_not_allowed",
      message: "Without a token this node answers only requests whose Host is localhost or a loopback address.",
    };
  }
  const origin = headers.origin;
  if (origin !== undefined && !isOwnOrigin(origin, host)) {
    return { status: 403, code: "origin_not_allowed", message: "Requests from pages of other sites are refused." };
  }
  return undefined;
};

export const isOwnOrigin = (origin: string, host: string | undefined): boolean =>
  host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);

/** Compares hashes: equal lengths, so that neither content nor length of the token shows in the time taken. */
export const tokenMatches = (tokenHash: Buffer, authorization: string | undefined): boolean => {
  const token = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  return timingSafeEqual(tokenHash, tokenHashOf(token ?? "")) && token !== undefined;
};

/** `localhost`, `127.0.0.0/8`, `::1`, with or without brackets. */
export const isLoopbackHost = (host: string): boolean => {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
};

/** The `Host` header without its port. */
const hostnameOf = (host: string): string => host.replace(/:\d+$/, "");

export const pathOf = (url: string): string => {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
};
