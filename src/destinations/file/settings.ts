import { resolve } from "node:path";
import type { FileDestination } from "../../domain/destination.ts";
import { type Derived, invalid } from "../settings-problem.ts";

export interface FileSettings {
  /** Absolute, `{DATE}` not yet replaced. */
  readonly path: string;
  readonly millisMax: number;
}

export const deriveFile = (
  destination: FileDestination,
  options: { readonly pushMillisMax: number },
): Derived<FileSettings> => {
  const { path } = destination;
  // oxlint-disable-next-line no-control-regex -- a control character in a path is a mistake or an attack on a terminal
  if (/[\u0000-\u001f\u007f]/.test(path)) return { ok: false, problems: [invalid("path has control characters")] };
  if (Buffer.byteLength(path) > 3_800) return { ok: false, problems: [invalid("path is longer than 3800 bytes")] };
  if (path.split("/").some((segment) => Buffer.byteLength(segment) > 255)) {
    return { ok: false, problems: [invalid("path has a name longer than 255 bytes")] };
  }
  return { ok: true, settings: { path: resolve(path), millisMax: options.pushMillisMax } };
};
