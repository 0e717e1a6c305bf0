import { Schema } from "effect";

const atLeast = (minimum: number) => Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum));
const percent = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }));

/**
 * Every bound of the system, its unit in its name. The defaults live in `config/default.json` and nowhere else; a limit
 * that is missing there, or that contradicts another, fails the start.
 */
export const Limits = Schema.Struct({
  // The door.
  requestBodyBytesMax: atLeast(1_024),
  requestInflatedBytesMax: atLeast(1_024),
  recordBytesMax: atLeast(1_024),
  requestsInFlightBytesMax: atLeast(65_536),
  requestsInFlightMax: atLeast(1),
  requestReadMillisMax: atLeast(100),
  requestAckMillisMax: atLeast(100),
  refusedListedMax: atLeast(1),
  eventLoopDelayMillisMax: atLeast(10),
  // Chunks and the outbox.
  chunkRecordsMax: atLeast(1),
  chunkRawBytesMax: atLeast(1_024),
  plainChunkRawBytesMin: atLeast(0),
  muxRawBytesMax: atLeast(1_024),
  messageBytesMax: atLeast(65_536),
  outboxBytesMax: atLeast(65_536),
  outboxWriteBytesMax: atLeast(65_536),
  outboxWriteMessagesMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
  outboxWriteSpacingMillisMin: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 })),
  publishAckMillisMax: atLeast(100),
  // The owner.
  readBytesMax: atLeast(65_536),
  readMessagesMax: atLeast(1),
  readMillisMax: atLeast(100),
  readIdleMillisMax: atLeast(1),
  windowBytesMax: atLeast(1_048_576),
  bufferWindowBytesMax: atLeast(65_536),
  bufferClosedBatchesMax: atLeast(1),
  sweepSliceBytesMax: atLeast(65_536),
  sweepSliceMillisMax: atLeast(10),
  sweepNearBytesMax: atLeast(65_536),
  sweepBytesPerSecondMax: atLeast(65_536),
  checkpointMillis: atLeast(10),
  checkpointUrgentMillis: atLeast(1),
  checkpointCountMillis: atLeast(10),
  checkpointRowsMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 999 })),
  checkpointSilenceMillisMax: atLeast(1_000),
  // Deliveries.
  pushesInFlightMax: atLeast(1),
  pushesPerHostMax: atLeast(1),
  pushesPerHostFirst: atLeast(1),
  slowPushesInFlightMax: atLeast(1),
  pushSlowMillis: atLeast(10),
  pushMillisMax: atLeast(100),
  pushStallMillisMax: atLeast(100),
  circuitFailuresMax: atLeast(1),
  circuitOpenMillisFirst: atLeast(10),
  circuitOpenMillisMax: atLeast(10),
  retryBaseMillis: atLeast(1),
  retryMillisMax: atLeast(1),
  oldRevisionAttemptsMax: atLeast(1),
  s3MultipartBytesMin: atLeast(5_242_880),
  // A customer's backlog, over the partitions that one node owns.
  backlogBytesPerCustomerMax: atLeast(1_048_576),
  backlogAgeSecondsMax: atLeast(60),
  backlogEasedPercent: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 99 })),
  expiryPercent: Schema.Int.check(Schema.isBetween({ minimum: 50, maximum: 99 })),
  // What the door keeps for everybody, per partition.
  unscannedPercentMax: Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 95 })),
  retentionSecondsMin: atLeast(1),
  // Admission: from which share of a bound on the node is in the next state.
  guardedPercent: percent,
  surgingPercent: percent,
  closedPercent: percent,
  admissionEasedPercent: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })),
  admissionDwellMillisMin: atLeast(100),
  memoryBytesMax: atLeast(268_435_456),
  newBuffersPerSecondMax: atLeast(1),
  newBuffersBurstMax: atLeast(1),
  newcomerSeconds: atLeast(1),
  newcomerSharePercent: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })),
  purgePercent: Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 99 })),
  replayWindowSecondsMax: atLeast(60),
  // Buffers that cannot go on.
  suspendedProbeMillis: atLeast(1_000),
  unresolvedFailuresMax: atLeast(1),
  quarantineCrashesMax: atLeast(1),
  quarantineWindowMillis: atLeast(1_000),
  // Dead letters.
  deadLettersPerJobMax: atLeast(1),
  deadLettersInRowMax: atLeast(1),
  deadLetterBytesMax: atLeast(1_048_576),
  deadLetterAgeSecondsMax: atLeast(60),
  deadLetterCustomerPercentMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })),
  // Kill switches.
  killSwitchesMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
  // The audit log.
  auditBytesMax: atLeast(1_048_576),
  // Receipts.
  receiptAgeSecondsMax: atLeast(60),
  refusalPeriodsMax: atLeast(1),
  refusalQuietMillis: atLeast(100),
  refusalPeriodMillisMax: atLeast(1_000),
  // Replays.
  replaysMax: atLeast(1),
  replayBytesPerSecondMax: atLeast(65_536),
  replayAttemptsMax: atLeast(1),
  // Watching buffers.
  inspectorsMax: atLeast(1),
  inspectorBufferedBytesMax: atLeast(65_536),
  inspectorFramesPerSecondMax: atLeast(10),
  // Alerts.
  alertsPerRuleMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
  alertQueueMax: atLeast(1),
  alertWebhookMillisMax: atLeast(100),
  alertWebhookAttemptsMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
  // Residency.
  /** 0: as many as the node's memory is good for, worked out at the start. */
  residentBuffersMax: atLeast(0),
  hibernateAfterMillis: atLeast(100),
  // Configuration: what one snapshot may change, and how it comes into force.
  jobsMax: atLeast(1),
  snapshotBytesMax: atLeast(65_536),
  segmentBytesMax: atLeast(65_536),
  configBytesMax: atLeast(4_194_304),
  configSnapshotsMax: Schema.Int.check(Schema.isBetween({ minimum: 5, maximum: 10_000 })),
  clockSkewMillisMax: atLeast(1_000),
  smallChangeJobsMax: atLeast(1),
  removedPercentMax: percent,
  removedDatasetPercentMax: percent,
  servedRemovedPercentMax: percent,
  addedPercentMax: percent,
  redirectedPercentMax: percent,
  rolloutCanaryPercent: percent,
  rolloutWatchMillis: atLeast(0),
  rolloutAdoptMillisMax: atLeast(1_000),
  rolloutSilenceMillisMax: atLeast(1_000),
  rolloutBreachesMax: atLeast(1),
  /** 0: what is removed is gone at once. */
  removalGraceSeconds: atLeast(0),
  rolloutHistoryMax: Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 1_000 })),
  // The control thread.
  controlAnswerMillisMax: Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 10_000 })),
  controlSilentMillisMax: atLeast(1_000),
  controlInFlightMax: atLeast(1),
  controlKeptBytesMax: atLeast(65_536),
  // The node.
  drainMillisMax: atLeast(0),
  logMaxAgeSeconds: atLeast(60),
  logBytesMax: atLeast(8_388_608),
});
export type Limits = typeof Limits.Type;

/** Relations between limits, each with what to do. An empty list is a consistent set. */
export const contradictions = (limits: Limits): ReadonlyArray<string> =>
  relations.flatMap(([smaller, larger, why]) =>
    limits[smaller] <= limits[larger]
      ? []
      : [`${smaller} (${limits[smaller]}) must not exceed ${larger} (${limits[larger]}): ${why}`],
  );

const relations: ReadonlyArray<readonly [keyof Limits, keyof Limits, string]> = [
  ["recordBytesMax", "requestInflatedBytesMax", "a record must fit in a request"],
  ["recordBytesMax", "messageBytesMax", "a record must fit in a message"],
  ["requestBodyBytesMax", "requestsInFlightBytesMax", "one request must be admissible"],
  ["chunkRawBytesMax", "messageBytesMax", "a chunk must fit in a message"],
  ["muxRawBytesMax", "messageBytesMax", "a mux message must fit even when it does not compress"],
  ["plainChunkRawBytesMin", "chunkRawBytesMax", "otherwise no chunk ever becomes a plain one"],
  ["messageBytesMax", "outboxWriteBytesMax", "one message must fit in a write"],
  ["requestInflatedBytesMax", "outboxBytesMax", "one request must fit in the outbox"],
  ["bufferWindowBytesMax", "windowBytesMax", "one buffer's window must fit in the node's budget"],
  ["backlogAgeSecondsMax", "logMaxAgeSeconds", "a quota beyond the log's own age never takes effect"],
  ["retentionSecondsMin", "logMaxAgeSeconds", "the log's own age ends retention earlier"],
  ["guardedPercent", "surgingPercent", "the states of admission follow one another"],
  ["surgingPercent", "closedPercent", "the states of admission follow one another"],
  ["admissionEasedPercent", "guardedPercent", "otherwise the node never comes back to open"],
  ["windowBytesMax", "memoryBytesMax", "the windows are a part of the node's memory"],
  ["purgePercent", "expiryPercent", "what is settled must make room before anything is given up"],
  ["deadLettersInRowMax", "deadLettersPerJobMax", "otherwise the first never takes effect"],
  ["checkpointUrgentMillis", "checkpointMillis", "an urgent checkpoint must not wait longer than an ordinary one"],
  ["checkpointMillis", "checkpointCountMillis", "count-only changes are the least urgent"],
  ["circuitOpenMillisFirst", "circuitOpenMillisMax", "the first pause must not exceed the last"],
  ["retryBaseMillis", "retryMillisMax", "the first delay must not exceed the last"],
  ["outboxWriteBytesMax", "outboxBytesMax", "one write must fit in the outbox"],
  ["readBytesMax", "sweepSliceBytesMax", "a slice of the sweep is at least one read"],
  ["pushSlowMillis", "pushMillisMax", "otherwise no push is ever a slow one"],
  ["pushStallMillisMax", "pushMillisMax", "otherwise the deadline always comes before the stall is noticed"],
  ["pushesPerHostFirst", "pushesPerHostMax", "a host must not begin above its bound"],
  ["pushesPerHostMax", "pushesInFlightMax", "one host must not get more than there is for all"],
  [
    "checkpointCountMillis",
    "checkpointSilenceMillisMax",
    "otherwise a quiet partition passes for one that cannot write",
  ],
  ["retryMillisMax", "suspendedProbeMillis", "a probe must be rarer than a retry"],
  ["newBuffersPerSecondMax", "newBuffersBurstMax", "a second's worth must fit in the burst"],
  ["recordBytesMax", "deadLetterBytesMax", "a record must fit among the dead letters"],
  ["segmentBytesMax", "snapshotBytesMax", "a segment is a part of a snapshot"],
  ["controlAnswerMillisMax", "controlSilentMillisMax", "what is known must be told before the node is called silent"],
];
