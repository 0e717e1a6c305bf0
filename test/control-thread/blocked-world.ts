import { Effect } from "effect";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("blocked-process.ts", import.meta.url));

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>;
  readonly text: string;
  readonly tookMillis: number;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

/** One request; rejects when no answer comes. */
export const ask = (url: string, options: AskOptions = {}): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { agent = false, body, headers = {}, method = "GET" } = options;
    const begun = performance.now();
    const sent = request(url, { method, headers, agent }, (response) => {
      const parts: Array<Buffer> = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(parts).toString(),
          tookMillis: performance.now() - begun,
        }),
      );
    });
    sent.setTimeout(20_000, () => sent.destroy(new Error(`${url} does not answer`)));
    sent.on("error", reject);
    sent.end(body);
  });

/** A process with a control thread, ended with the scope. */
export const blockable = (silentMillisMax = 15_000) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [script, String(silentMillisMax)], { stdio: ["pipe", "pipe", "pipe"] });
      let errors = "";
      child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
      const exited = once(child, "exit").then(([code]) => code as number | null);
      const lines = createInterface({ input: child.stdout });
      const url = await Promise.race([
        once(lines, "line").then(([line]) => line as string),
        exited.then((code) => Promise.reject(new Error(`it ended with ${code}: ${errors}`))),
      ]);
      return { child, url, exited, tell: (line: string) => child.stdin.write(`${line}\n`) };
    }),
    ({ child, exited }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL");
        await exited;
      }),
  );

/** Polls until it holds; fails with the last answer after the deadline. */
export const until = async <A>(look: () => Promise<A>, holds: (seen: A) => boolean, millisMax = 15_000): Promise<A> => {
  const deadline = performance.now() + millisMax;
  while (true) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`it never came true; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
