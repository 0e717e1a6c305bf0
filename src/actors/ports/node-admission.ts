import { Context } from "effect";
import type { RecordSpans } from "./outbox.ts";
import type { Pair } from "../../domain/partition.ts";

/** How much the node takes on. In no state is an established pair held back. */
export const admissionStates = ["open", "guarded", "surging", "closed"] as const;
export type AdmissionState = (typeof admissionStates)[number];

/**
 * The node-wide decision to let a buffer become resident or a newcomer's records in. Every question is answered at
 * once, from memory, and costs less than a microsecond.
 */
export class NodeAdmission extends Context.Service<
  NodeAdmission,
  {
    readonly state: () => AdmissionState;
    /** Asked before a buffer that never existed becomes resident; a true answer spends a token. Others need not ask. */
    readonly mayCreate: () => boolean;
    /** A pair of the served set has records at the door. Who has for the first time is a newcomer for a while. */
    readonly see: (pair: Pair) => void;
    /** False while the node is surging or closed and the pair is a newcomer without a share left. Call `see` before. */
    readonly mayPublish: (pair: Pair) => boolean;
    /** These were let in: newcomers' bytes are taken off their share. */
    readonly published: (spans: RecordSpans) => void;
    /** Where the number of resident buffers is to be read, and its bound; a later call replaces an earlier. */
    readonly watchResidents: (count: () => number, residentsMax: number) => void;
  }
>()("spillway/actors/ports/NodeAdmission") {}
