import { partitionName } from "../domain/partition.ts";

/** The subject grammar: the only place where a subject or a stream name is built or taken apart. */

export const logStream = (partition: number): string => `LOG_${partitionName(partition)}`;
export const logSubjects = (partition: number): string => `log.${partitionName(partition)}.>`;
export const chunkSubject = (partition: number, pairKey: string): string =>
  `log.${partitionName(partition)}.${pairKey}`;
export const muxSubject = (partition: number): string => `log.${partitionName(partition)}._mux`;
export const tickSubject = (partition: number): string => `log.${partitionName(partition)}._tick`;

export const controlStream = (partition: number): string => `CTL_${partitionName(partition)}`;
export const controlSubjects = (partition: number): string => `ctl.${partitionName(partition)}.>`;
export const registerSubject = (partition: number): string => `ctl.${partitionName(partition)}.register`;
export const rowSubject = (partition: number, job: string): string => `ctl.${partitionName(partition)}.job.${job}`;
export const receiptSubject = (partition: number, job: string, sequence: number, reason: string): string =>
  `ctl.${partitionName(partition)}.receipt.${job}.${sequence}.${reason}`;
/** Of the door: `_door` is no job's id. The same period of refusals always has the same subject. */
export const refusalSubject = (
  partition: number,
  customer: string,
  dataset: string,
  { door, fromMillis, node }: { readonly door: string; readonly fromMillis: number; readonly node: string },
): string => {
  const prefix = `ctl.${partitionName(partition)}.receipt._door`;
  return `${prefix}.${customer}.${dataset}.${node.replaceAll(/[^A-Za-z0-9_-]/g, "_")}.${fromMillis}.${door}`;
};
/** Of chunks without a job: `_unclaimed` is no job's id. */
export const unclaimedSubject = (partition: number, customer: string, dataset: string, sequence: number): string =>
  `ctl.${partitionName(partition)}.receipt._unclaimed.${customer}.${dataset}.${sequence}`;
/** Filters: the receipts of a partition, of a job in it. */
export const receiptSubjects = (partition: number): string => `ctl.${partitionName(partition)}.receipt.>`;
export const receiptsOfJob = (partition: number, job: string): string =>
  `ctl.${partitionName(partition)}.receipt.${job}.>`;

/** Core NATS, not stored: what the owner of a partition tells forwarders. */
export const backlogSubject = (partition: number): string => `spillway.backlog.${partitionName(partition)}`;
export const backlogSubjects = "spillway.backlog.*";

/** Core NATS, not stored: questions to the owner of a partition; nobody else answers. */
export const ownerSubject = (partition: number): string => `spillway.owner.${partitionName(partition)}`;
export const ownerSubjects = "spillway.owner.*";
/** `spillway.owner.007` → 7; NaN for another subject. */
export const partitionOfOwner = (subject: string): number => Number(subject.split(".")[2]);

/** All dead letters of all partitions: they are few, and bounded together. */
export const deadStream = "DEAD";
export const deadSubjects = "dead.>";

/** What a dead letter is known by: another log's sequence is another letter. */
export interface DeadLetterName {
  readonly customer: string;
  readonly job: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly index: number;
}
export const deadSubject = (
  partition: number,
  { customer, incarnation, index, job, sequence }: DeadLetterName,
): string =>
  `dead.${partitionName(partition)}.${customer}.${job}.${incarnation.replaceAll(".", "_")}.${sequence}.${index}`;
/** Filters: the letters of a customer, of a job, of a record of any log. */
export const deadOfCustomer = (customer: string): string => `dead.*.${customer}.>`;
export const deadOfJob = (job: string): string => `dead.*.*.${job}.>`;
export const deadOfRecord = (job: string, sequence: number, index: number): string =>
  `dead.*.*.${job}.*.${sequence}.${index}`;
/** `dead.007.acme.a.2026….12.3` → `a`. */
export const jobOfDead = (subject: string): string => subject.split(".")[3] ?? "";

/** Who changed what: one subject, so that its sequence is the number of entries. */
export const auditStream = "AUDIT";
export const auditSubject = "audit.entry";

/** Configuration snapshots and what is decided about them. */
export const configStream = "CONFIG";
export const configSubjects = "config.>";
export const blobSubject = (hash: string, part: number): string => `config.blob.${hash}.${part}`;
export const partsOfBlob = (hash: string): string => `config.blob.${hash}.*`;
export const firstPartsOfBlobs = "config.blob.*.0";
export const manifestSubjects = "config.manifest.*";
export const manifestSubject = (number: number): string => `config.manifest.${number}`;
/** `pointer`: which snapshot nodes are to serve. */
export const configStateSubject = (name: string): string => `config.state.${name}`;

/** Core NATS, not stored: what a node serves; questions to the control process that leads. */
export const configNodeSubject = (node: string): string =>
  `spillway.config.node.${node.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
export const configNodeSubjects = "spillway.config.node.*";
export const configControlSubject = "spillway.config.control";

/** The KV bucket of push jobs; a key is a job id. */
export const jobsBucket = "jobs";

/** Where the bucket keeps a push job: its key is the job's id. */
export const jobSubject = (id: string): string => `$KV.${jobsBucket}.${id}`;

/** The KV bucket of kill switches; a key is a switch's id. */
export const switchesBucket = "switches";
/** Core NATS, not stored: what a switch would hold; every owner answers for its partitions. */
export const switchEffectSubject = "spillway.switches.effect";

/** The KV bucket of what drills have exercised; a key is the name of a limit. */
export const drillsBucket = "drills";

/** `log.007.acme.http_requests` → `acme.http_requests`; undefined for our own subjects (`_mux`, `_tick`). */
export const pairKeyOf = (subject: string): string | undefined => {
  const tail = subject.slice(subject.indexOf(".", subject.indexOf(".") + 1) + 1);
  return tail.startsWith("_") ? undefined : tail;
};

/** `ctl.007.job.a` → `a`. */
export const jobOfRow = (subject: string): string => subject.split(".")[3] ?? "";

/** `ctl.007.job.a` → `job`; `ctl.007.register` → `register`; `ctl.007.receipt.a.12` → `receipt`. */
export const controlKindOf = (subject: string): string => subject.split(".")[2] ?? "";
