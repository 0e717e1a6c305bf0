import { fnv1a32, mixed } from "./partition.ts";

const segmentBits = 10;

/** A snapshot's push jobs are spread over so many segments, each stored and sent by itself. */
export const segmentCount = 2 ** segmentBits;

/**
 * The segment that holds all push jobs of a customer. Whatever is decided for a share of the customers (a canary) is
 * decided by segments, and a change of one customer changes one segment.
 */
export const segmentOf = (customer: string): number => mixed(fnv1a32(customer)) >>> (32 - segmentBits);

/** @param pairKey `customer.dataset` */
export const segmentOfPair = (pairKey: string): number => segmentOf(pairKey.slice(0, pairKey.indexOf(".")));
