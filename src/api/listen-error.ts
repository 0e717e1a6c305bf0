import { Schema } from "effect";
import { isLoopbackHost } from "./access.ts";

/** The node cannot listen as it was told to; `message` says what to do. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  reason: Schema.Literals(["token-required", "address-in-use", "not-permitted", "bad-address", "other"]),
  message: Schema.String,
}) {}

export interface ListenTarget {
  readonly host: string;
  readonly port: number;
  /** What chooses the address on the command line. */
  readonly flag: "--listen" | "--control-listen";
}

export const tokenRequired = (host: string, hasToken: boolean): ListenError | undefined =>
  hasToken || isLoopbackHost(host)
    ? undefined
    : new ListenError({
        reason: "token-required",
        message:
          `Listening on ${host} needs a token, because others can reach it: ` +
          "set SPILLWAY_TOKEN, or listen on 127.0.0.1.",
      });

/** @param error as Node's server gives it, or its code and message alone */
export const listenError = (
  { host, port, flag }: ListenTarget,
  error: { readonly code?: string | undefined; readonly message: string },
): ListenError => {
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError({
        reason: "address-in-use",
        message: `Port ${port} of ${host} is taken: end the program that holds it, or choose another with ${flag}.`,
      });
    case "EACCES":
      return new ListenError({
        reason: "not-permitted",
        message: `Port ${port} needs more rights than this process has: choose one above 1023 with ${flag}.`,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ListenError({
        reason: "bad-address",
        message: `${host} is not an address of this machine: choose another with ${flag}.`,
      });
    default:
      return new ListenError({ reason: "other", message: `Cannot listen on ${host}:${port}: ${error.message}` });
  }
};
