import { Audit, Handles } from './handles.ts';
import { type Host, Macrotasks } from './host.ts';
import type { Settings } from './options.ts';
import { Rounds } from './rounds.ts';
import { type Chooser, Names, Run } from './run.ts';
import { Step } from './step.ts';
import { Story } from './story.ts';
import { World } from './world.ts';

/** The signal is missing in `explore`. */
export type Test = (world: World, signal?: AbortSignal) => unknown;

/** How a run is watched. */
export interface Watch {
  /** Knows the resources of the test itself, and their places. */
  readonly audited: boolean;
  /** Records the events. */
  readonly records: boolean;
  /** The first point whose rounds are counted. */
  readonly countFrom: number;
  /** Waits for something real when nothing is possible. */
  readonly waits: boolean;
}

export const plain: Watch = { audited: false, records: false, countFrom: Number.POSITIVE_INFINITY, waits: false };

/** The state that all runs of one exploration share. */
export class Session {
  readonly settings: Settings;
  readonly host: Host;
  readonly macrotasks: Macrotasks = new Macrotasks();
  readonly rounds: Rounds;
  readonly handles: Handles;
  /** The run that is in progress. */
  run: Run | undefined;
  /** The asynchronous context of the steps of this exploration. */
  stepContextId: number | undefined;
  /** Whether code of the run may be running. */
  isInStep = false;
  audit: Audit | undefined;
  readonly #test: Test;
  readonly #names = new Names();

  constructor(settings: Settings, host: Host, test: Test) {
    this.settings = settings;
    this.host = host;
    this.#test = test;
    this.rounds = new Rounds(host);
    this.handles = new Handles(settings.ignore);
  }

  /** Calls the test once, with these choices. Resolves when the run is over; never rejects. */
  execute(chooser: Chooser, watch: Watch): Promise<Run> {
    const run = new Run(this.settings, chooser, this.#names, watch.records ? new Story() : undefined);
    this.run = run;
    if (watch.audited) this.audit = new Audit(run, this.handles);
    if (watch.countFrom < Number.POSITIVE_INFINITY) this.rounds.start();
    const world = new World(run);
    const signal = this.settings.cancel ? world.makeCancelSignal().signal : undefined;
    return new Promise((resolve) => {
      const step = new Step(this, run, watch, () => {
        this.audit?.end();
        this.audit = undefined;
        this.run = undefined;
        resolve(run);
      });
      step.start(() => this.#test(world, signal));
    });
  }

  close(): void {
    this.rounds.stop();
    this.macrotasks.close();
  }
}
