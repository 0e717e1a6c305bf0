import type { IncomingMessage, ServerResponse } from "node:http";
import { pathOf } from "./access.ts";
import { page, scriptHash, styleHash } from "./inspect-page.generated.ts";

/** `GET /inspect/{job}`: one page for all jobs. It holds no data: its script asks for it, with the token. */

const path = /^\/inspect\/[A-Za-z0-9_-]{1,64}$/;

export const isInspectPage = ({ method, url }: IncomingMessage): boolean =>
  (method === "GET" || method === "HEAD") && path.test(pathOf(url ?? "/"));

export const answerInspectPage = (response: ServerResponse): void => {
  response.writeHead(200, headers);
  response.end(response.req.method === "HEAD" ? undefined : body);
};

const body = Buffer.from(page);

/** Nothing from elsewhere, and of what is in the page only what was there when it was made. */
const policy = [
  "default-src 'none'",
  `script-src '${scriptHash}'`,
  `style-src '${styleHash}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const headers = {
  "content-type": "text/html; charset=utf-8",
  "content-length": body.length,
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache",
};
