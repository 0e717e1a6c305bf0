import { type GuardName, guardNames } from "../../domain/drill-state.ts";

/** `--guards` and `--guard NAME=off|on` → which guards are off; a text says what is wrong. */
export const guardsOffOf = (
  all: "on" | "off",
  single: ReadonlyArray<string>,
  shown: ReadonlyArray<GuardName>,
): ReadonlyArray<GuardName> | string => {
  const off = new Set<GuardName>(all === "off" ? shown : []);
  for (const written of single) {
    const [name, state, ...rest] = written.split("=");
    const guard = guardNames.find((known) => known === name);
    if (guard === undefined)
      return `--guard ${written}: there is no guard "${name}"; there are ${guardNames.join(", ")}`;
    if (rest.length > 0 || (state !== "on" && state !== "off")) {
      return `--guard ${written}: write it like ${guard}=off or ${guard}=on`;
    }
    if (state === "off") off.add(guard);
    else off.delete(guard);
  }
  return guardNames.filter((name) => off.has(name));
};
