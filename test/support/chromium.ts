import { Effect } from "effect";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { WebSocket } from "ws";
import { removeTree } from "./remove-tree.ts";

/** A page in a real browser, driven over the DevTools protocol. */
export interface ChromiumPage {
  /** Evaluates an expression there; answers its value as JSON. */
  readonly evaluate: <A>(expression: string) => Effect.Effect<A>;
  readonly type: (text: string) => Effect.Effect<void>;
  readonly press: (key: string, code: number) => Effect.Effect<void>;
  readonly goto: (url: string) => Effect.Effect<void>;
  /** PNG. */
  readonly screenshot: Effect.Effect<Buffer>;
  readonly colourScheme: (scheme: "light" | "dark") => Effect.Effect<void>;
  /** What the page complained of: exceptions, refusals of its Content-Security-Policy. */
  readonly complaints: ReadonlyArray<string>;
}

/**
 * `CHROMIUM`, a browser on `PATH` (Debian: `apt-get install chromium`), or the one in the npm package
 * `@sparticuz/chromium`, which needs no download. Undefined: there is none, and the tests that need one are skipped.
 */
export const findChromium = async (): Promise<string | undefined> => {
  const found = installedChromium() ?? (await packagedChromium());
  if (found !== undefined && runs(found)) return found;
  process.stderr.write(
    `${found === undefined ? "There is no Chromium" : `${found} does not run`}: the tests that need one are skipped. ` +
      "Install Debian's `chromium`, or name one with CHROMIUM.\n",
  );
  return undefined;
};

const installedChromium = (): string | undefined => {
  const given = process.env["CHROMIUM"];
  if (given !== undefined && given !== "") return given;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
};

const packagedChromium = async (): Promise<string | undefined> => {
  // A name that the compiler does not follow: the package may be absent.
  const name = "@sparticuz/chromium";
  try {
    const { default: packaged } = (await import(name)) as { default: { executablePath: () => Promise<string> } };
    return await packaged.executablePath();
  } catch {
    return undefined;
  }
};

/** Libraries of the system may be missing, or the processor be another. */
const runs = (path: string): boolean =>
  spawnSync(path, ["--no-sandbox", "--version"], { stdio: "ignore", timeout: 20_000 }).status === 0;

export const openChromium = Effect.fnUntraced(function* (executable: string) {
  const profile = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-chromium-"))),
    (folder) => Effect.promise(() => removeTree(folder)),
  );
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(executable, [...flags, `--user-data-dir=${profile}`], { stdio: ["ignore", "ignore", "pipe"] }),
    ),
    ended,
  );
  const browser = yield* Effect.promise(() => endpointOf(child));
  const { host } = new URL(browser);
  const created = yield* Effect.promise(() => fetch(`http://${host}/json/new?about:blank`, { method: "PUT" }));
  const { webSocketDebuggerUrl } = (yield* Effect.promise(() => created.json())) as { webSocketDebuggerUrl: string };
  return yield* openPage(webSocketDebuggerUrl);
});

const flags = [
  "--headless",
  "--no-sandbox",
  "--no-zygote",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
  "--window-size=1500,1500",
];

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
    child.kill("SIGKILL");
  });

const endpointOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = "";
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`Chromium ended with ${code}:\n${output}`)));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
      const found = /DevTools listening on (ws:\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
  });

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: { readonly message: string };
}

const openPage = Effect.fnUntraced(function* (url: string) {
  const socket = yield* Effect.acquireRelease(
    Effect.callback<WebSocket>((resume) => {
      const opened = new WebSocket(url, { maxPayload: 64 * 1_048_576 });
      opened.once("open", () => resume(Effect.succeed(opened)));
      opened.once("error", (error) => resume(Effect.die(error)));
    }),
    (open) => Effect.sync(() => open.terminate()),
  );
  const waiting = new Map<number, (reply: Reply) => void>();
  const complaints: Array<string> = [];
  socket.on("message", (data: Buffer) => {
    const reply = JSON.parse(data.toString()) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
    if (reply.method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(reply.params.exceptionDetails));
    if (reply.method === "Log.entryAdded" && reply.params.entry.source === "security") {
      complaints.push(reply.params.entry.text);
    }
  });
  let last = 0;
  const call = (method: string, params: object = {}) =>
    Effect.callback<any>((resume) => {
      const id = ++last;
      waiting.set(id, ({ error, result }) => {
        waiting.delete(id);
        resume(error === undefined ? Effect.succeed(result) : Effect.die(new Error(`${method}: ${error.message}`)));
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  yield* call("Page.enable");
  yield* call("Runtime.enable");
  yield* call("Log.enable");
  yield* call("Emulation.setDeviceMetricsOverride", {
    width: 1_500,
    height: 1_500,
    deviceScaleFactor: 1,
    mobile: false,
  });
  const key = (type: string, name: string, code: number) =>
    call("Input.dispatchKeyEvent", {
      type,
      key: name,
      code: name,
      windowsVirtualKeyCode: code,
      text: type === "keyDown" ? "\r" : "",
    });
  return {
    evaluate: (expression) =>
      Effect.map(call("Runtime.evaluate", { expression, returnByValue: true }), ({ result }) => result.value),
    type: (text) => Effect.asVoid(call("Input.insertText", { text })),
    press: (name, code) => Effect.andThen(key("keyDown", name, code), Effect.asVoid(key("keyUp", name, code))),
    goto: (address) => Effect.asVoid(call("Page.navigate", { url: address })),
    screenshot: Effect.map(call("Page.captureScreenshot", { captureBeyondViewport: true }), ({ data }) =>
      Buffer.from(data as string, "base64"),
    ),
    colourScheme: (value) =>
      Effect.asVoid(call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] })),
    complaints,
  } satisfies ChromiumPage as ChromiumPage;
});
