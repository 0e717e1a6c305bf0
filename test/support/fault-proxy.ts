import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Faults {
  /** `blackhole` swallows both directions, `refuse` resets whoever connects. */
  readonly mode: "pass" | "blackhole" | "refuse";
  /**
   * What the server says is kept back, in order, and passes on once this is false again. Together with `resetAll`,
   * which
   * throws away what is kept, this loses answers to requests that the server has carried out.
   */
  readonly holdAnswers: boolean;
  /** Both directions are kept back: to both sides the other one is silent, and nothing is lost afterwards. */
  readonly holdAll: boolean;
  readonly latencyMillis: number;
  readonly bytesPerSecond: number;
  /** Per connection and direction; then both ends are reset. */
  readonly resetAfterBytes: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  readonly set: (faults: Partial<Faults>) => void;
  /** Resets every connection. */
  readonly resetAll: () => void;
  /** Bytes of answers that are kept back at this moment. */
  readonly heldBytes: () => number;
}

/** One TCP listener in front of one upstream, with faults that can be switched while connections are open. */
export const startFaultProxy = async (upstream: string): Promise<FaultProxy> => {
  const { hostname, port } = new URL(upstream);
  const state = new ProxyState();
  const server = createServer((client) => {
    if (state.faults.mode === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const behind = connect(Number(port), hostname);
    for (const socket of [client, behind]) {
      state.sockets.add(socket);
      socket.on("close", () => state.sockets.delete(socket));
      socket.setNoDelay(true);
    }
    pipe(state, client, behind, false);
    pipe(state, behind, client, true);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (faults) => state.change(faults),
    resetAll: () => {
      for (const socket of state.sockets) socket.resetAndDestroy();
    },
    heldBytes: () => state.heldBytes,
    [Symbol.asyncDispose]: async () => {
      for (const socket of state.sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
};

class ProxyState {
  readonly sockets = new Set<Socket>();
  faults: Faults = {
    mode: "pass",
    holdAnswers: false,
    holdAll: false,
    latencyMillis: 0,
    bytesPerSecond: 0,
    resetAfterBytes: Number.POSITIVE_INFINITY,
  };
  heldBytes = 0;
  private changed = Promise.withResolvers<void>();

  change(faults: Partial<Faults>): void {
    this.faults = { ...this.faults, ...faults };
    this.changed.resolve();
    this.changed = Promise.withResolvers<void>();
  }

  /** Waits for as long as this direction is kept back. */
  async release(isAnswer: boolean, bytes: number, closed: () => boolean): Promise<void> {
    const held = () => this.faults.holdAll || (isAnswer && this.faults.holdAnswers);
    if (!held()) return;
    if (isAnswer) this.heldBytes += bytes;
    // A connection that was reset meanwhile is found out at the next change; until then it costs a promise.
    while (held() && !closed()) await this.changed.promise;
    if (isAnswer) this.heldBytes -= bytes;
  }
}

const pipe = (state: ProxyState, from: Socket, to: Socket, isAnswer: boolean): void => {
  let tail = Promise.resolve();
  let sentBytes = 0;
  const forward = async (bytes: Buffer) => {
    const { bytesPerSecond, latencyMillis, mode } = state.faults;
    if (mode === "blackhole") return;
    await state.release(isAnswer, bytes.length, () => from.destroyed);
    if (latencyMillis > 0) await sleep(latencyMillis);
    if (bytesPerSecond > 0) await sleep((bytes.length / bytesPerSecond) * 1_000);
    sentBytes += bytes.length;
    if (sentBytes > state.faults.resetAfterBytes) {
      from.resetAndDestroy();
      to.resetAndDestroy();
    } else if (!to.destroyed && !to.write(bytes)) {
      await Promise.race([once(to, "drain"), once(to, "close")]).catch(() => undefined);
    }
  };
  from.on("data", (bytes: Buffer) => {
    from.pause();
    tail = tail.then(() => forward(bytes)).finally(() => from.resume());
  });
  from.on("end", () => void tail.then(() => to.end()));
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
};
