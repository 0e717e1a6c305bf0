import { dirname } from "node:path";
import { type PushRequest, uniquePartOf } from "../../actors/ports/destinations.ts";
import { objectKey } from "../../domain/batch.ts";
import type { FileSettings } from "./settings.ts";

/** Where one batch is written, all absolute. */
export interface FileTarget {
  readonly folder: string;
  readonly final: string;
  /** Written first, in the same folder so that the last step is a link within one file system. */
  readonly temporary: string;
}

/** The final name without its unique part is shared by no other batch of this job: the id's hash is in it. */
export const filePath = (settings: FileSettings, request: PushRequest): string =>
  `/${objectKey(settings.path, request.batch, uniquePartOf(request))}`;

/** @param token tells this push apart from any other, in this process or another */
export const fileTarget = (settings: FileSettings, request: PushRequest, token: string): FileTarget => {
  const final = filePath(settings, request);
  const folder = dirname(final);
  return { folder, final, temporary: `${folder}/${temporaryPrefix(final)}${token}${temporarySuffix}` };
};

const temporarySuffix = ".spillway-part";

const temporaryPrefix = (final: string): string => `.${final.slice(final.lastIndexOf("/") + 1)}.`;

/** Whether a name in a folder is one of our temporaries. */
export const isTemporary = (name: string): boolean => name.startsWith(".") && name.endsWith(temporarySuffix);

/** Whether a name in a folder is a temporary of the file `final`. */
export const isTemporaryOf = (name: string, final: string): boolean =>
  isTemporary(name) && name.startsWith(temporaryPrefix(final));
