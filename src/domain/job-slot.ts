import { fnv1a32, mixed } from "./partition.ts";
import { segmentCount, segmentOf } from "./segment-of.ts";

const bitsPerSegment = 5;

/** The jobs of a segment are spread over so many slots. */
export const slotsPerSegment = 2 ** bitsPerSegment;
export const slotCount = segmentCount * slotsPerSegment;

/**
 * Where figures of a job are added up: a handful of jobs share a slot, so that a million of them cost no more than a
 * few. The slots of a segment lie one beside the other: whoever asks for the first segments asks for the first slots.
 */
export const slotOf = ({ customer, id }: { readonly customer: string; readonly id: string }): number =>
  segmentOf(customer) * slotsPerSegment + (mixed(fnv1a32(id)) >>> (32 - bitsPerSegment));
