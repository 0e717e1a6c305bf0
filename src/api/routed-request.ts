/** A request without its socket: the control thread has that, and has checked who asks. */
export interface RoutedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case; no credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

export interface RoutedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}
