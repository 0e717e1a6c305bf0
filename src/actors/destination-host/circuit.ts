import { type Actor, createActor } from "xstate";
import { type CircuitInput, circuitMachine } from "./machine.ts";

export type CircuitState = "closed" | "open" | "halfOpen";

/**
 * A host's circuit. Its actor exists from the first failure on until it is closed again without one: of ten thousand
 * healthy hosts none has one.
 */
export class Circuit {
  private readonly input: CircuitInput;
  private actor: Actor<typeof circuitMachine> | undefined;

  constructor(input: CircuitInput) {
    this.input = input;
  }

  get state(): CircuitState {
    const value = this.actor?.getSnapshot().value;
    return value === undefined ? "closed" : typeof value === "string" ? value : "halfOpen";
  }

  get isProbing(): boolean {
    return this.actor?.getSnapshot().matches({ halfOpen: "probing" }) === true;
  }

  /** Of the next probe, while open. */
  get openUntilMillis(): number {
    return this.actor?.getSnapshot().context.openUntilMillis ?? 0;
  }

  answered(): void {
    if (this.actor === undefined) return;
    this.actor.send({ type: "host.answered" });
    this.forget();
  }

  failed(nowMillis: number, jitter: number): void {
    this.started().send({ type: "host.failed", nowMillis, jitter });
  }

  /** Somebody wants to push at this time. */
  look(nowMillis: number): void {
    this.actor?.send({ type: "time.passed", nowMillis });
  }

  beginProbe(): void {
    this.actor?.send({ type: "probe.began" });
  }

  endProbe(how: "answered" | "failed" | "abandoned", nowMillis: number, jitter: number): void {
    if (how === "failed") return this.actor?.send({ type: "probe.failed", nowMillis, jitter });
    this.actor?.send({ type: `probe.${how}` });
    this.forget();
  }

  private started(): Actor<typeof circuitMachine> {
    if (this.actor !== undefined) return this.actor;
    const context = { ...this.input, failures: 0, opened: 0, openUntilMillis: 0 };
    // From a snapshot: from its input, XState would take the machine's own context for a misuse of `assign`, for the
    // push that fails is told in the action of another machine.
    const snapshot = circuitMachine.resolveState({ value: "closed", context });
    this.actor = createActor(circuitMachine, { input: this.input, snapshot }).start();
    return this.actor;
  }

  private forget(): void {
    if (this.actor?.getSnapshot().value !== "closed") return;
    this.actor.stop();
    this.actor = undefined;
  }
}
