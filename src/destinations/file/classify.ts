import { classifyException, deferred, delivered, type PushOutcome, rejected } from "../../domain/push-outcome.ts";
import { oneLine } from "../detail.ts";

/** What came of writing one batch's file. */
export type FileAnswer =
  | { readonly _tag: "Written" }
  /** The name was taken, by a file with the same or with another uncompressed content. */
  | { readonly _tag: "Taken"; readonly same: boolean }
  | { readonly _tag: "Failed"; readonly code: string; readonly detail: string }
  | { readonly _tag: "TimedOut"; readonly millisMax: number };

export const classifyFile = (answer: FileAnswer, path: string): PushOutcome => {
  switch (answer._tag) {
    case "Written":
      return delivered();
    case "Taken":
      return answer.same
        ? delivered(undefined, true)
        : rejected("conflict", oneLine(`${path} exists with other content`));
    case "Failed":
      return classifyException(answer.code, oneLine(answer.detail));
    case "TimedOut":
      return deferred("timeout", oneLine(`${path} was not written within ${answer.millisMax} ms`));
  }
};
