import type { Msg } from "@nats-io/transport-node";

/** What a JSON message says. undefined: not ours, or damaged. */
export const decodeMessage = <A>(is: (value: unknown) => value is A, message: Msg): A | undefined => {
  let value: unknown;
  try {
    value = message.json();
  } catch {
    return undefined;
  }
  return is(value) ? value : undefined;
};
