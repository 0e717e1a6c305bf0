import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { blocked, invalid, type SettingsProblem } from "./settings-problem.ts";

/**
 * The guard against requests to the inside (SSRF): a push job's author chooses the address, our node's network position
 * must not be lent to them. Checked twice: in the URL, for a clear answer when a job is put, and at every connect, on
 * the very address that the socket will use, so that a name which resolves elsewhere later (rebinding) cannot pass.
 */

/** IANA's special-purpose registry for IPv4, and one public address that is a cloud's inside (Azure's WireServer). */
const blockedIpv4: ReadonlyArray<readonly [network: string, prefix: number]> = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Inside 2000::/3, the only part of IPv6 that is global unicast: special purposes, documentation, and 6to4. */
const blockedIpv6: ReadonlyArray<readonly [network: string, prefix: number]> = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const denied = new BlockList();
for (const [network, prefix] of blockedIpv4) {
  denied.addSubnet(network, prefix, "ipv4");
  // On an IPv6-only network with NAT64, this is how a resolver spells the same IPv4 network.
  denied.addSubnet(`64:ff9b::${network}`, 96 + prefix, "ipv6");
}
for (const [network, prefix] of blockedIpv6) denied.addSubnet(network, prefix, "ipv6");

const globalIpv6 = new BlockList();
globalIpv6.addSubnet("2000::", 3, "ipv6");
globalIpv6.addSubnet("64:ff9b::", 96, "ipv6");

/**
 * Whether a push may connect to this address, given as text without brackets. IPv6 is an allow list, so that mapped
 * (`::ffff:10.0.0.1`), link-local, unique-local, multicast and whatever is assigned next are refused by default.
 */
export const isPublicAddress = (address: string): boolean => {
  switch (isIP(address)) {
    case 4:
      return !denied.check(address, "ipv4");
    case 6:
      // A zone (`fe80::1%eth0`) only makes sense for addresses that are refused anyway.
      return !address.includes("%") && globalIpv6.check(address, "ipv6") && !denied.check(address, "ipv6");
    default:
      return false;
  }
};

/** Names that mean this machine or a cloud's metadata service whatever a resolver says. */
const blockedName = /^(?:localhost|.+\.localhost|metadata|metadata\.google\.internal|instance-data(?:\..+)?)\.?$/;

/**
 * What is wrong with a URL's scheme and host, without asking a resolver. The URL parser has already turned every
 * spelling of an IPv4 address (decimal, octal, hex, short, full-width) into dotted form.
 */
export const urlProblems = (url: URL, allowPrivateDestinations: boolean): ReadonlyArray<SettingsProblem> => {
  if (url.protocol !== "http:" && url.protocol !== "https:") return [invalid("the URL must be http or https")];
  if (allowPrivateDestinations) return [];
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const inside = isIP(host) === 0 ? blockedName.test(host) : !isPublicAddress(host);
  return inside ? [blocked(refusal(url.hostname))] : [];
};

const refusal = (host: string): string =>
  `${host} is not a public address; private destinations are refused unless allowPrivateDestinations is set`;

/** Refused by the guard. Its message names the host as it was given, never what it resolved to. */
class BlockedAddress extends Error {
  readonly code = "SPILLWAY_BLOCKED_ADDRESS";

  constructor(host: string) {
    super(refusal(host));
  }
}

/**
 * A resolver that fails when any of a name's addresses is not public. Any, not all: a name with one inside and one
 * outside address is an attack or a mistake, and which of them a connect would use is a race.
 */
export const guardedLookup =
  (resolve: LookupFunction = systemLookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, options, (error, address, family) => {
      const addresses = typeof address === "string" ? [address] : (address ?? []).map((found) => found.address);
      if (error === null && !addresses.every(isPublicAddress)) {
        callback(new BlockedAddress(hostname), typeof address === "string" ? "" : []);
      } else {
        callback(error, address, family);
      }
    });
  };

/**
 * Makes connections for pushes. With the guard, an address literal is checked here as well: a socket does not ask the
 * resolver for those.
 *
 * @param resolve the resolver, for tests
 */
export const guardedConnector = (options: {
  readonly allowPrivateDestinations: boolean;
  readonly connectMillisMax: number;
  readonly resolve?: LookupFunction;
}): buildConnector.connector => {
  const base = {
    // HTTP/2 buys nothing for single uploads, and its negotiation serialises the first connections of a pool.
    allowH2: false,
    timeout: options.connectMillisMax,
  };
  if (options.allowPrivateDestinations) {
    return buildConnector(options.resolve === undefined ? base : { ...base, lookup: options.resolve });
  }
  const connect = buildConnector({ ...base, lookup: guardedLookup(options.resolve) });
  return (target, callback) => {
    if (isIP(target.hostname) !== 0 && !isPublicAddress(target.hostname)) {
      callback(new BlockedAddress(target.hostname), null);
    } else {
      connect(target, callback);
    }
  };
};
