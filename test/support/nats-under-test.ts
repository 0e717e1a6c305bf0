/** A real nats-server of a test's own, with the faults that every kind of it can suffer. */
export interface NatsUnderTest extends AsyncDisposable {
  readonly url: string;
  /** Stops the process in its tracks: connections stay open and nothing answers. */
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
}

export interface NatsSettings {
  readonly maxPayloadBytes: number;
}

/** What every server under test is configured with: as the embedded one, an acknowledgement means "on the disk". */
export const natsConfiguration = (settings: Partial<NatsSettings>, listen: string, storeDirectory: string): string => `
listen: "${listen}"
max_payload: ${settings.maxPayloadBytes ?? 8_388_608}
jetstream {
  store_dir: "${storeDirectory}"
  max_file_store: 8589934592
  max_memory_store: 67108864
  sync_interval: always
}
`;
