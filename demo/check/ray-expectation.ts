import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { RayIds } from "../generator/ray-id.ts";
import { count, eachLine, type Expectation } from "./findings.ts";

const field = Buffer.from('"RayID":"');

/**
 * For generated records, whose ray id tells their global index: which are there, how often, with which bytes, at whose
 * place and in which order. The order of a customer's records is the order of their indices.
 */
export const expectRays = (options: { readonly records: number; readonly rayIds: RayIds }): Expectation => {
  const { rayIds, records } = options;
  const checksums = new Uint32Array(records);
  /** Customer + 1; 0 where nothing was sent. */
  const owners = new Uint32Array(records);
  const seen = new Uint8Array(records);
  const latest = new Map<number, number>();
  const duplicatedOf = new Map<number, number>();
  const sentBytes = runningHashes();
  const foundBytes = runningHashes();
  const totals = { found: 0, sent: 0, unknown: 0, corrupted: 0, misplaced: 0, outOfOrder: 0 };

  const indexOf = (line: Buffer): number | undefined => {
    const at = line.indexOf(field);
    return at === -1 ? undefined : rayIds.read(line, at + field.length);
  };

  const tick = (customer: number, line: Buffer): void => {
    const index = indexOf(line);
    const owner = index === undefined ? undefined : owners[index];
    if (index === undefined || owner === undefined || owner === 0) {
      totals.unknown += 1;
    } else if (checksums[index] !== crc32(line)) {
      totals.corrupted += 1;
    } else if (owner !== customer + 1) {
      totals.misplaced += 1;
    } else if (seen[index] === 1) {
      count(duplicatedOf, customer);
    } else {
      seen[index] = 1;
      totals.found += 1;
      if (index < (latest.get(customer) ?? -1)) totals.outOfOrder += 1;
      else latest.set(customer, index);
    }
  };

  return {
    expect: (customer, first, content) => {
      sentBytes.add(customer, content);
      eachLine(content, (line, number) => {
        checksums[first + number] = crc32(line);
        owners[first + number] = customer + 1;
        totals.sent += 1;
      });
    },
    find: (customer, content) => {
      foundBytes.add(customer, content);
      eachLine(content, (line) => tick(customer, line));
    },
    rank: (content) => {
      const newline = content.indexOf(10);
      return indexOf(newline === -1 ? content : content.subarray(0, newline)) ?? records;
    },
    findings: () => {
      const { sent, ...rest } = totals;
      return {
        ...rest,
        missing: sent - rest.found,
        duplicatedOf,
        customersDiffering: differing(sentBytes.digests(), foundBytes.digests()),
      };
    },
  };
};

/** SHA-256 of everything that was added for a customer, in that order. */
const runningHashes = () => {
  const hashes = new Map<number, Hash>();
  return {
    add: (customer: number, content: Buffer): void => {
      let hash = hashes.get(customer);
      if (hash === undefined) hashes.set(customer, (hash = createHash("sha256")));
      hash.update(content);
    },
    digests: (): ReadonlyMap<number, string> =>
      new Map([...hashes].map(([customer, hash]) => [customer, hash.copy().digest("hex")])),
  };
};

const differing = (sent: ReadonlyMap<number, string>, found: ReadonlyMap<number, string>): number =>
  new Set([...sent.keys(), ...found.keys()].filter((customer) => sent.get(customer) !== found.get(customer))).size;
