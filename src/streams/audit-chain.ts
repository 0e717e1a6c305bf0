import { createHash } from "node:crypto";
import type { AuditEntry } from "../domain/audit-entry.ts";

/** What the first entry follows. */
export const chainStart = "0".repeat(64);

/** The entry with the hash that belongs to it. */
export const sealed = (entry: Omit<AuditEntry, "hash">): AuditEntry => ({ ...entry, hash: hashOf(entry) });

const hashOf = (entry: Omit<AuditEntry, "hash">): string => {
  const fields = Object.entries(entry).filter(([name]) => name !== "hash");
  const sorted = fields.toSorted(([one], [other]) => (one < other ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex");
};

/**
 * What is wrong with an entry that follows another one; undefined: nothing.
 *
 * @param number the one that it should have
 * @param previous hash of the one before
 */
export const brokenLink = (entry: AuditEntry, number: number, previous: string): string | undefined => {
  if (entry.number !== number) return `it has the number ${entry.number}, ${number} was expected`;
  if (entry.previous !== previous) return "it does not follow the entry before it";
  return entry.hash === hashOf(entry) ? undefined : "it was changed: its hash is another one";
};
