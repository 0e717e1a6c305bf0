import type { NatsConnection } from "@nats-io/transport-node";
import type { Nats } from "../../../src/streams/nats.ts";

type Callback = (error: Error | null, message: unknown) => void;
interface Subscribed {
  readonly link: Link;
  readonly pattern: RegExp;
  readonly callback: Callback;
}

/** One process's connection. Dead, it neither says nor hears anything; cut, neither does anybody to whom it speaks. */
export interface Link {
  isDead: boolean;
  isCut: boolean;
}

/** Core NATS in memory: what is published is heard at once, by whoever listens now. */
export class ScriptedBus {
  private readonly subscribed = new Set<Subscribed>();
  /** Answers what is asked of the server itself. */
  serve: (subject: string, data: string, reply: (message: unknown) => void) => boolean = () => false;

  natsOf(link: Link): Nats["Service"] {
    const connection = this.connectionOf(link);
    return { publish: connection, read: connection, control: connection, connected: () => isUp(link) };
  }

  /** To everybody, from the server. */
  tell(subject: string, message: unknown = {}): void {
    for (const { callback, link, pattern } of this.subscribed)
      if (isUp(link) && pattern.test(subject)) callback(null, message);
  }

  private isHeard(subject: string): boolean {
    return [...this.subscribed].some(({ link, pattern }) => isUp(link) && pattern.test(subject));
  }

  private connectionOf(link: Link): NatsConnection {
    const subscribe = (subject: string, { callback }: { readonly callback: Callback }) => {
      const one: Subscribed = { link, pattern: patternOf(subject), callback };
      this.subscribed.add(one);
      return { unsubscribe: () => void this.subscribed.delete(one) };
    };
    const publish = (subject: string, data: string, options: { readonly reply?: string } = {}) => {
      if (!isUp(link)) return;
      const { reply = "" } = options;
      if (this.serve(subject, data, (message) => this.tell(reply, message))) return;
      this.tell(
        subject,
        messageOf(data, () => {}),
      );
    };
    const request = (subject: string, data: string) =>
      new Promise((resolve, reject) => {
        const isHeard = isUp(link) && this.isHeard(subject);
        if (isHeard)
          this.tell(
            subject,
            messageOf(data, (answer) => resolve(messageOf(answer, () => {}))),
          );
        else reject(new Error("no responders"));
      });
    return { subscribe, publish, request } as unknown as NatsConnection;
  }
}

const isUp = ({ isCut, isDead }: Link): boolean => !isDead && !isCut;

const messageOf = (data: string, respond: (data: string) => void) => ({
  string: () => data,
  json: () => JSON.parse(data) as unknown,
  respond,
});

const patternOf = (subject: string): RegExp =>
  new RegExp(`^${subject.replaceAll(/[.$]/g, "\\$&").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`);
