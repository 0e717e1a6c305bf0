import type { KillSwitch, SwitchKind } from "./kill-switch.ts";

type ByTarget = Readonly<Record<SwitchKind, ReadonlyMap<string, KillSwitch>>>;

/** The kill switches in force at one moment: every question takes the same short time, however many there are. */
export class SwitchSet {
  readonly all: ReadonlyArray<KillSwitch>;
  /** False nearly always: then nobody has to ask any further. */
  readonly stopsDelivery: boolean;
  readonly stopsIntake: boolean;
  private readonly delivery: ByTarget;
  private readonly intake: ByTarget;

  constructor(all: ReadonlyArray<KillSwitch>) {
    this.all = all;
    const delivery = all.filter(({ stops }) => stops !== "intake");
    const intake = all.filter(({ stops }) => stops !== "delivery");
    this.stopsDelivery = delivery.length > 0;
    this.stopsIntake = intake.length > 0;
    this.delivery = byTarget(delivery);
    this.intake = byTarget(intake);
  }

  /** The widest switch by which a push of this job to this host must not begin. */
  holding(customer: string, dataset: string, host: string): KillSwitch | undefined {
    if (!this.stopsDelivery) return undefined;
    return narrowing(this.delivery, customer, dataset) ?? this.delivery.destination.get(host);
  }

  /** The widest switch by which these records must not get in. */
  refusing(customer: string, dataset: string): KillSwitch | undefined {
    return this.stopsIntake ? narrowing(this.intake, customer, dataset) : undefined;
  }

  countOf(wanted: SwitchKind): number {
    return this.all.reduce((count, { kind }) => (kind === wanted ? count + 1 : count), 0);
  }
}

const narrowing = (by: ByTarget, customer: string, dataset: string): KillSwitch | undefined =>
  by.everything.get("") ?? by.dataset.get(dataset) ?? by.customer.get(customer);

const byTarget = (switches: ReadonlyArray<KillSwitch>): ByTarget => {
  const of = (wanted: SwitchKind) =>
    new Map(switches.filter(({ kind }) => kind === wanted).map((each) => [each.target, each]));
  return {
    destination: of("destination"),
    customer: of("customer"),
    dataset: of("dataset"),
    everything: of("everything"),
  };
};

export const noSwitches = new SwitchSet([]);
