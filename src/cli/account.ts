import { hostname, userInfo } from "node:os";
import type { Connection } from "./connection.ts";

/** Who changes something, and why: for the audit log. */
export const accountOf = ({ reason }: Connection): Readonly<Record<string, string>> => ({
  "spillway-actor": headerText(actorName()),
  ...(reason === undefined ? {} : { "spillway-reason": headerText(reason) }),
});

/** Who runs this command, for the audit log. */
export const actorName = (): string => `${userName()}@${hostname()}`;

/** A process may run under a number that has no name. */
const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
};

/** One line, of printable characters. */
export const headerText = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 500);
