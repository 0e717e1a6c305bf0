import type { Life } from "../life.ts";

interface Message {
  readonly string: () => string;
  readonly json: () => unknown;
  readonly respond: (data: string) => void;
}
type Callback = (error: Error | null, message: Message) => void;

/** Core NATS in memory: what is published is there at once, and nowhere if nobody listens. */
export class ScriptedBus {
  private readonly listeners = new Map<string, Set<Callback>>();

  publish(subject: string, data: string, respond: (data: string) => void = () => undefined): number {
    let heard = 0;
    for (const [pattern, callbacks] of this.listeners) {
      if (!isMatch(pattern, subject)) continue;
      for (const callback of callbacks) {
        heard += 1;
        callback(null, { string: () => data, json: () => JSON.parse(data) as unknown, respond });
      }
    }
    return heard;
  }

  subscribe(pattern: string, callback: Callback): () => void {
    const callbacks = this.listeners.get(pattern) ?? new Set();
    this.listeners.set(pattern, callbacks);
    callbacks.add(callback);
    return () => void callbacks.delete(callback);
  }

  /** Asks whoever answers; undefined: nobody listens. */
  request(subject: string, data: string): Promise<string> | undefined {
    let answered: (data: string) => void = () => undefined;
    const answer = new Promise<string>((resolve) => {
      answered = resolve;
    });
    return this.publish(subject, data, answered) === 0 ? undefined : answer;
  }

  /** The connection of one node: what it says after its death is not heard. */
  connection(life: Life) {
    return {
      publish: (subject: string, data: string) => {
        if (!life.isDead && !life.isCutOff) this.publish(subject, data);
      },
      subscribe: (pattern: string, { callback }: { readonly callback: Callback }) => {
        const end = this.subscribe(pattern, (error, message) => {
          if (!life.isDead && !life.isCutOff) callback(error, message);
        });
        return { unsubscribe: end };
      },
    };
  }
}

const isMatch = (pattern: string, subject: string): boolean =>
  pattern === subject || (pattern.endsWith(".*") && subject.startsWith(pattern.slice(0, -1)));
