import { rayIdDigits } from "./ray-id.ts";
import { type Random, seededRandom } from "./seeded-random.ts";
import { assets, hosts, referers, sections, statuses, topics, userAgents } from "./vocabulary.ts";

/** Where in every template the bytes stand that each record has of its own. */
export const rayIdOffset = '{"RayID":"'.length;
export const timestampOffset = rayIdOffset + rayIdDigits + '","EdgeStartTimestamp":'.length;
export const customerOffset = timestampOffset + 19 + ',"Customer":"'.length;

/** Bytes of a record, newline included, on average: as in the example data. */
const meanRecordBytes = 488;

/** A visit: the records of one client in their order, each a whole line whose own bytes are still to be filled in. */
export type Visit = ReadonlyArray<Buffer>;

/** Requests of one visit. */
const requestsMax = 8;

const visitCount = 2_048;

/**
 * Visits for a seed. Real logs compress well because one client's records follow each other, so the unit is the visit
 * and not the record.
 *
 * @param customerPlaceholder what stands in the `Customer` field until it is filled in; without it there is no such
 * field
 */
export const makeVisits = (seed: number, customerPlaceholder: string | undefined): ReadonlyArray<Visit> => {
  const build = (queryBytes: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: visitCount }, (_, visit) => makeVisit(random, visit, queryBytes, customerPlaceholder));
  };
  // The words decide the length; a first pass without queries tells how long the queries have to be on average.
  return build(meanRecordBytes - meanBytes(build(0)));
};

const meanBytes = (visits: ReadonlyArray<Visit>): number => {
  const lines = visits.flat();
  return lines.reduce((sum, { length }) => sum + length, 0) / lines.length;
};

const makeVisit = (random: Random, visit: number, queryBytes: number, customer: string | undefined): Visit => {
  const pick = <A>(from: ReadonlyArray<A>): A => from[random(from.length)] as A;
  const host = pick(hosts);
  const page = `/${pick(sections)}/${pick(topics)}-${random(400)}`;
  const origin = pick(referers);
  const common = {
    ip: `${1 + random(222)}.${random(256)}.${random(256)}.${1 + random(254)}`,
    host,
    agent: pick(userAgents).replace("%", `${90 + random(42)}.0.${random(200)}.${random(100)}`),
    query: querySlug(random, Math.max(0, queryBytes), visit),
    customer,
  };
  const requests = 1 + random(requestsMax);
  return Array.from({ length: requests }, (_, request) => {
    const path = request === 0 ? page : pick(assets).replace("%", random(99_999).toString(36));
    return Buffer.from(
      line({
        ...common,
        uri: path,
        referer: request === 0 ? origin : `https://${host}${page}`,
        status: request === 0 ? pick(statuses) : 200,
        bytes: 1_000 + random(90_000),
      }),
    );
  });
};

/** A query of `meanLength` bytes over many visits: fractions are met by making some of them one byte longer. */
const querySlug = (random: Random, meanLength: number, visit: number): string => {
  const length = Math.floor(meanLength) + ((visit * 37) % 100 < (meanLength % 1) * 100 ? 1 : 0);
  if (length < 2) return "";
  let slug = length < 12 ? "?" : "?session=";
  while (slug.length < length) slug += random(36).toString(36);
  return slug;
};

interface LineParts {
  readonly ip: string;
  readonly host: string;
  readonly agent: string;
  readonly query: string;
  readonly customer: string | undefined;
  readonly uri: string;
  readonly referer: string;
  readonly status: number;
  readonly bytes: number;
}

const line = (parts: LineParts): string =>
  `{"RayID":"${"0".repeat(rayIdDigits)}","EdgeStartTimestamp":${"0".repeat(19)},` +
  (parts.customer === undefined ? "" : `"Customer":"${parts.customer}",`) +
  `"ClientIP":"${parts.ip}","ClientRequestHost":"${parts.host}","ClientRequestMethod":"GET",` +
  `"ClientRequestURI":"${parts.uri}${parts.query}","ClientRequestProtocol":"HTTP/1.1",` +
  `"ClientRequestReferer":"${parts.referer}","ClientRequestUserAgent":"${parts.agent}",` +
  `"EdgeResponseStatus":${parts.status},"EdgeResponseBytes":${parts.bytes}}\n`;
