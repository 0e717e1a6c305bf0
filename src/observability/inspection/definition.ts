/**
 * A machine's definition as JSON text, in the way of `@statelyai/inspect`: functions become their names. It holds code
 * and no data, so there is nothing to redact.
 */
export const definitionOf = (machine: { readonly config: unknown }): string =>
  JSON.stringify(machine.config, (_key, value: unknown) =>
    typeof value === "function" ? { type: value.name } : value,
  );
