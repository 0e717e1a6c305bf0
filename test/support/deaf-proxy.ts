import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface DeafProxy extends AsyncDisposable {
  readonly url: string;
  /** What is published to these subjects never reaches the server, as if nobody had it there: nothing is answered. */
  readonly deafTo: (subjects: RegExp | undefined) => void;
  /** Messages that were swallowed so far, by subject. */
  readonly swallowed: () => ReadonlyMap<string, number>;
}

/** One TCP listener in front of a nats-server that keeps everything but some requests: streams without a leader. */
export const startDeafProxy = async (upstream: string): Promise<DeafProxy> => {
  const { hostname, port } = new URL(upstream);
  const sockets = new Set<Socket>();
  const swallowed = new Map<string, number>();
  let deaf: RegExp | undefined;
  const isHeard = (subject: string) => {
    if (deaf?.test(subject) !== true) return true;
    swallowed.set(subject, (swallowed.get(subject) ?? 0) + 1);
    return false;
  };
  const server = createServer((client) => {
    const behind = connect(Number(port), hostname);
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
    }
    behind.pipe(client);
    const sieve = new Sieve(isHeard);
    client.on("data", (bytes: Buffer) => {
      const heard = sieve.take(bytes);
      if (heard.length > 0 && !behind.write(heard)) {
        client.pause();
        behind.once("drain", () => client.resume());
      }
    });
    client.on("error", () => behind.destroy());
    client.on("close", () => behind.destroy());
    behind.on("error", () => client.destroy());
    behind.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deafTo: (subjects) => {
      deaf = subjects;
    },
    swallowed: () => swallowed,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
};

const lineEnd = Buffer.from("\r\n");

/** What a client says, cut into its messages: `PUB subject [reply] bytes`, `HPUB subject [reply] head bytes`, … */
class Sieve {
  private rest: Buffer = Buffer.alloc(0);
  private readonly isHeard: (subject: string) => boolean;

  constructor(isHeard: (subject: string) => boolean) {
    this.isHeard = isHeard;
  }

  take(bytes: Buffer): Buffer {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const heard: Array<Buffer> = [];
    for (;;) {
      const end = this.rest.indexOf(lineEnd);
      if (end < 0) break;
      const words = this.rest.toString("latin1", 0, end).split(" ");
      const isMessage = words[0] === "PUB" || words[0] === "HPUB";
      const length = end + 2 + (isMessage ? Number(words.at(-1)) + 2 : 0);
      if (this.rest.length < length) break;
      if (!isMessage || this.isHeard(words[1]!)) heard.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
    return Buffer.concat(heard);
  }
}
