import type { SwitchCounts } from "./switch-counts.ts";
import type { RoutedAnswer, RoutedRequest } from "../api/routed-request.ts";

/** What passes between the main thread and the control thread, as structured clones. */

export type ToMain =
  | { readonly type: "listening"; readonly url: string }
  | { readonly type: "notListening"; readonly code: string | undefined; readonly message: string }
  | { readonly type: "request"; readonly id: number; readonly request: RoutedRequest }
  /** Nobody waits for the answer any more. */
  | { readonly type: "forget"; readonly id: number };

export type ToControl =
  | { readonly type: "answer"; readonly id: number; readonly answer: RoutedAnswer }
  /** What `/healthz` tells beside the status: of a drill, on a node that was started for drills. */
  | { readonly type: "health"; readonly more: HealthDetails }
  /** End, after the answers that are being written. */
  | { readonly type: "close" };

/** Opaque here; the API says what it is. */
export type HealthDetails = Readonly<Record<string, unknown>>;

/** What the control thread is started with. It never learns the token itself. */
export interface ControlThreadData {
  readonly host: string;
  readonly port: number;
  readonly tokenHash: Uint8Array | undefined;
  /** Where `POST /v1/ingest` and upgrades belong. */
  readonly dataUrl: string;
  /** Counts the turns of the main thread's event loop; see `Pulse`. */
  readonly pulse: SharedArrayBuffer;
  readonly switches: SwitchCounts;
  readonly limits: ControlThreadLimits;
  readonly health: HealthDetails;
}

export interface ControlThreadLimits {
  /** Reads wait so long for the main thread before they are answered with what was known last. */
  readonly controlAnswerMillisMax: number;
  /** The main thread is taken for stuck after so much silence: `/healthz` fails. */
  readonly controlSilentMillisMax: number;
  /** Requests that the main thread has not answered yet. */
  readonly controlInFlightMax: number;
  /** Of answers kept, and of one of them a quarter of it. */
  readonly controlKeptBytesMax: number;
}
