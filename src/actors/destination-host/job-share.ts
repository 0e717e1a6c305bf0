/** What a host remembers of one of its jobs. */
export class JobShare {
  readonly job: string;
  /** Finish tags: where its next push begins among the jobs of the host, and among all of the node. */
  hostTag = 0;
  nodeTag = 0;
  /** Its last push failed: that it fails again is no news about the host. */
  isBad = false;
  lastMillis = 0;
  /** In the current window of the fairness index: bytes by weight, and time spent waiting. */
  served = 0;
  waitedMillis = 0;

  constructor(job: string) {
    this.job = job;
  }
}
