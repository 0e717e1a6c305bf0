import { isIP } from "node:net";
import type { S3Destination } from "../../domain/destination.ts";
import { urlProblems } from "../guard.ts";
import { type Derived, invalid, type SettingsProblem } from "../settings-problem.ts";

/** An s3 destination, checked and taken apart once. */
export interface S3Settings {
  readonly origin: string;
  /** `host:port`, with the bucket in front for virtual-hosted addressing. */
  readonly host: string;
  /** What stands before the key in a request's path: `/bucket/` or `/`, after the endpoint's own path. */
  readonly basePath: string;
  readonly bucket: string;
  /** Prefix of every key, `{DATE}` not yet replaced. */
  readonly path: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** Without TLS nothing but the signature protects the body, so it is hashed and signed. */
  readonly signsBody: boolean;
  readonly millisMax: number;
  readonly stallMillisMax: number;
  /** Compressed bytes from which on a batch is uploaded in parts. */
  readonly multipartBytesMin: number;
}

export const deriveS3 = (
  destination: S3Destination,
  options: {
    readonly allowPrivateDestinations: boolean;
    readonly pushMillisMax: number;
    readonly pushStallMillisMax: number;
    readonly multipartBytesMin: number;
  },
): Derived<S3Settings> => {
  if (!URL.canParse(destination.endpoint)) return { ok: false, problems: [invalid("endpoint is not a URL")] };
  const url = new URL(destination.endpoint);
  const pathStyle = destination.pathStyle ?? true;
  const problems = [
    ...urlProblems(url, options.allowPrivateDestinations),
    ...endpointProblems(url),
    ...bucketProblems(destination.bucket, pathStyle, url),
    ...pathProblems(destination.path ?? ""),
    ...credentialProblems(destination),
  ];
  if (problems.length > 0) return { ok: false, problems };
  const host = pathStyle ? url.host : `${destination.bucket}.${url.host}`;
  const prefix = url.pathname.replace(/\/+$/, "");
  const millis = destination.timeoutSeconds === undefined ? Infinity : destination.timeoutSeconds * 1_000;
  return {
    ok: true,
    settings: {
      origin: `${url.protocol}//${host}`,
      host,
      basePath: pathStyle ? `${prefix}/${destination.bucket}/` : `${prefix}/`,
      bucket: destination.bucket,
      path: destination.path ?? "",
      region: destination.region,
      accessKeyId: destination.accessKeyId,
      secretAccessKey: destination.secretAccessKey,
      sessionToken: destination.sessionToken,
      signsBody: url.protocol === "http:",
      millisMax: Math.min(millis, options.pushMillisMax),
      stallMillisMax: options.pushStallMillisMax,
      multipartBytesMin: options.multipartBytesMin,
    },
  };
};

const endpointProblems = (url: URL): ReadonlyArray<SettingsProblem> => [
  ...(url.username === "" && url.password === ""
    ? []
    : [invalid("endpoint must not hold userinfo: use accessKeyId and secretAccessKey")]),
  ...(url.search === "" && url.hash === "" ? [] : [invalid("endpoint must not have a query or a fragment")]),
  ...(/^[\w./-]*$/.test(url.pathname) ? [] : [invalid("endpoint's path may only have letters, digits and _ . / -")]),
];

/** The old rules of S3 for path style, DNS's for virtual-hosted: there the bucket becomes part of a host name. */
const bucketProblems = (bucket: string, pathStyle: boolean, url: URL): ReadonlyArray<SettingsProblem> => {
  if (pathStyle) {
    return /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket) ? [] : [invalid("bucket is not a bucket name")];
  }
  return [
    ...(/^[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]$/.test(bucket)
      ? []
      : [invalid("bucket cannot be part of a host name: use pathStyle")]),
    ...(isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0
      ? []
      : [invalid("a bucket cannot stand before an IP address: use pathStyle")]),
  ];
};

/** S3's keys hold 1,024 bytes; the file's own name and the date take some 60. */
const pathBytesMax = 900;

const pathProblems = (path: string): ReadonlyArray<SettingsProblem> => [
  ...(Buffer.byteLength(path) > pathBytesMax ? [invalid(`path is longer than ${pathBytesMax} bytes`)] : []),
  // oxlint-disable-next-line no-control-regex -- refused because XML, headers and terminals cannot carry them
  ...(!path.isWellFormed() || /[\u0000-\u001f\u007f]/.test(path) ? [invalid("path has forbidden characters")] : []),
  // A URL parser would resolve these, and the object would land elsewhere, perhaps in another bucket.
  ...(path.split("/").some((segment) => segment === "." || segment === "..")
    ? [invalid("path must not have '.' or '..' between slashes")]
    : []),
];

const printable = /^[\u0021-\u007e]+$/;

const credentialProblems = (destination: S3Destination): ReadonlyArray<SettingsProblem> =>
  [
    ["region", destination.region],
    ["accessKeyId", destination.accessKeyId],
    ["secretAccessKey", destination.secretAccessKey],
    ["sessionToken", destination.sessionToken ?? "none"],
  ]
    .filter(([, value]) => !printable.test(value ?? ""))
    .map(([name]) => invalid(`${name} must be printable ASCII without spaces`));
