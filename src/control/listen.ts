/** Where the HTTP server listens. Port 0 takes a free one. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`, `0.0.0.0:8080`; undefined for anything else, a bare port included. */
export const parseListen = (text: string): Listen | undefined => {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
};

/** Whether only this machine can reach it. A name other than `localhost` may resolve to anything. */
export const isLoopback = ({ host }: Listen): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
