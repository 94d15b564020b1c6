// Runs forty jobs on three workers, cancels some of them while connections and the engine fail, and counts from outside: from
// what the jobs report, and not from what the fleet says.
import { setTimeout as delay } from 'node:timers/promises';
import { paint, stamp } from '../../terminal.ts';
import type { CancelEnd } from '../protocol.ts';
import { type Crash, openDemoEngine, startHub } from './engine.ts';
import { type Bill, type JobRecord, type Worker, Workers } from './workers.ts';

/** A sentence about the run, and whether the reports of the workers confirm it. */
interface Finding {
  readonly name: string;
  readonly text: string;
  readonly isGood: boolean;
}

const start = performance.now();

function say(text: string): void {
  console.log(stamp(performance.now() - start), text);
}

/** Runs the demo. Returns whether nothing was lost. */
export async function runFleetDemo(isWithout: boolean): Promise<boolean> {
  const how = isWithout ? 'plain messages, without a fleet' : 'a fleet';
  console.log(`\n  Forty jobs on three workers, cancelled through ${how} (docs/examples/fleet)\n`);
  say(isWithout ? 'starting a hub, which sends each message once' : 'starting an engine');
  const engine = await (isWithout ? startHub() : openDemoEngine());
  const workers = new Workers();
  try {
    await workers.start(isWithout ? 'worker-without' : 'worker', engine);
    if (!isWithout) say(describeHints(engine.description, workers.all[0]?.hints));
    const demo = new Demo(workers, engine.crash, isWithout);
    return report(await demo.run(), isWithout);
  } finally {
    await workers.close();
    await engine.close();
  }
}

function describeHints(description: string, hints: string | undefined): string {
  const what = hints === 'polling' ? 'it sends no notifications, so every worker asks it for changes' : 'it notifies';
  return `engine: ${description}; hints: '${hints}': ${what}`;
}

class Demo {
  readonly #workers: Workers;
  readonly #crash: Crash;
  readonly #isWithout: boolean;
  readonly #isYours: boolean;
  readonly #findings: Finding[] = [];
  /** The keys that were cancelled. */
  readonly #cancelled: string[] = [];

  constructor(workers: Workers, crash: Crash | undefined, isWithout: boolean) {
    this.#workers = workers;
    this.#isWithout = isWithout;
    this.#isYours = crash === undefined;
    const all = (act: (worker: Worker) => void) => async (): Promise<void> => workers.all.forEach(act);
    this.#crash = crash ?? { kill: all(({ proxy }) => proxy.cut()), restart: all(({ proxy }) => proxy.heal()) };
  }

  async run(): Promise<readonly Finding[]> {
    await this.#startJobs();
    await this.#cancelWhere('one job', 'jobs/ada/1');
    await this.#cancelWhere('all jobs of bob', 'jobs/bob');
    await this.#cutOff();
    await this.#killEngine();
    await this.#startCovered();
    if (this.#isWithout)
      await delay(1_000); // everything that was sent to a receiver has arrived by then
    else {
      await this.#stopHolder();
      await this.#drainInTurn();
    }
    return [...this.#countCancels(), ...this.#findings];
  }

  async #startJobs(): Promise<void> {
    const { all, jobs } = this.#workers;
    for (let n = 0; n < 40; n++) {
      const [customer, number] = n % 4 === 3 ? ['bob', (n + 1) / 4] : ['ada', n - Math.floor(n / 4)];
      this.#workers.run(all[n % 3] as Worker, `jobs/${customer}/${number}/1`);
    }
    await this.#workers.until('all jobs run', () => [...jobs.values()].every(({ steps }) => steps > 0));
    say('forty jobs run: jobs/ada/0 to 29 and jobs/bob/1 to 10, each in its attempt 1');
  }

  /** Cancels on the third worker, wherever the jobs run. */
  async #cancelWhere(what: string, key: string): Promise<void> {
    const covered = this.#workers.below(key);
    say(`cancel ${key}: ${what}, on ${[...new Set(covered.map(({ worker }) => worker.node))].join(', ')}`);
    this.#settled(key, await this.#cancel(this.#worker(2), key));
    await this.#workers.until(`${key} has ended`, () => covered.every(({ end }) => end !== undefined));
  }

  async #cutOff(): Promise<void> {
    const worker = this.#worker(1);
    const { key } = this.#openJobOn(worker);
    say(paint('yellow', `── ${worker.node} is cut off from ${this.#isWithout ? 'the hub' : 'the engine'} ──`));
    worker.proxy.cut();
    const first = await this.#cancel(this.#worker(2), key, 2_000);
    say(`cancel ${key}, which runs there: ${textOf(first)}`);
    const second = this.#isWithout ? undefined : this.#cancel(this.#worker(2), key);
    say(paint('yellow', `── ${worker.node} is connected again ──`));
    worker.proxy.heal();
    if (second === undefined) return await delay(1_000);
    this.#settled(key, await second);
    const isNamed = first.e === 'failed' && first.text.includes(`${worker.id} is silent`);
    this.#find('cut off', isNamed, `${worker.node} was named silent, and reached when it was back`);
  }

  async #killEngine(): Promise<void> {
    const { key } = this.#openJobOn(this.#worker(0));
    const what = this.#isWithout ? 'the hub' : 'the engine';
    const done = this.#isYours ? 'cut off from all workers, because it is yours' : 'killed';
    say(paint('yellow', `── ${what} is ${done} ──`));
    await this.#crash.kill();
    const before = this.#stepCount();
    const cancel = this.#cancel(this.#worker(2), key);
    await this.#workers.until('the jobs continue', () => this.#stepCount() > before + 40);
    say(`cancel ${key} during this time; the other jobs continue`);
    await this.#crash.restart();
    say(paint('yellow', `── ${what} is back ──`));
    this.#settled(key, await cancel);
  }

  /** A job that starts below a key that is cancelled already. */
  async #startCovered(): Promise<void> {
    const key = 'jobs/bob/11/1';
    this.#workers.run(this.#worker(0), key);
    const job = this.#workers.jobs.get(key) as JobRecord;
    await this.#workers.until(`${key} was started`, () => job.steps > 0 || job.end !== undefined);
    say(`a job of bob starts late: ${job.end === 'refused' ? 'refused, because jobs/bob is cancelled' : 'it runs'}`);
  }

  async #stopHolder(): Promise<void> {
    const { all, bills } = this.#workers;
    for (const worker of all) this.#workers.order(worker, { op: 'bill' });
    await this.#workers.until('one worker bills', () => bills.length > 3);
    const { worker: holder, fence } = bills.at(-1) as Bill;
    say(`${holder.node} holds the lease "billing" with the fence ${fence}`);
    say(paint('yellow', `── ${holder.node} is stopped with SIGSTOP ──`));
    holder.process.kill('SIGSTOP');
    await this.#workers.until('another worker bills', () => bills.some((bill) => bill.fence > fence));
    const next = bills.find((bill) => bill.fence > fence) as Bill;
    say(`${next.worker.node} has the lease with the fence ${next.fence}`);
    holder.process.kill('SIGCONT');
    await this.#workers.until('the stopped worker looks', () => holder.leaseLost.includes(fence));
    say(`${holder.node} continues, and its first look says that the lease is lost`);
    // A write that was under way when the process was stopped is refused by its fence.
    const stale = bills.filter((bill) => bill.fence === fence && bill.at > next.at).length;
    this.#find(
      'lease',
      true,
      `${next.worker.node} took over from ${holder.node}; late writes of ${holder.node}: ${stale}`,
    );
  }

  async #drainInTurn(): Promise<void> {
    const { all, jobs } = this.#workers;
    const open = [...jobs.values()].filter(({ end }) => end === undefined);
    say(paint('yellow', '── SIGTERM to all three workers ──'));
    for (const { process } of all) process.kill('SIGTERM');
    for (let ended = 1; ended <= all.length; ended++) {
      await this.#workers.until('a worker ends', () => all.filter(hasEnded).length >= ended);
      const [last] = all.filter(hasEnded).sort((a, b) => (b.drainingAt ?? 0) - (a.drainingAt ?? 0));
      const own = open.filter(({ worker }) => worker === last);
      say(`${last?.node} has finished its ${own.length} jobs, and exited with ${last?.exitCode}`);
    }
    const drains = all
      .map((worker) => ({ from: worker.drainingAt ?? 0, to: lastEnd(open.filter((job) => job.worker === worker)) }))
      .sort((a, b) => a.from - b.from);
    const overlaps = drains.filter(({ from }, index) => index > 0 && from < (drains[index - 1]?.to ?? 0)).length;
    const cutOff = open.filter(({ end }) => end !== 'done').length;
    const codes = all.map(({ exitCode }) => exitCode).join(', ');
    const isGood = overlaps === 0 && cutOff === 0 && all.every(({ exitCode }) => exitCode === 0);
    const text = `${open.length} jobs finished, ${cutOff} cut off; ${overlaps} drains at the same time; exit codes ${codes}`;
    this.#find('drained', isGood, text);
  }

  async #cancel(worker: Worker, key: string, timeout?: number): Promise<CancelEnd> {
    this.#cancelled.push(key);
    return await this.#workers.cancel(worker, key, timeout);
  }

  /** Compares a receipt with what the jobs have reported by then. */
  #settled(key: string, end: CancelEnd): void {
    say(`  ${textOf(end)}`);
    if (end.e !== 'receipt') return;
    const { receipt, at } = end;
    const jobs = this.#workers.below(key).filter(({ worker }) => !receipt.lost.includes(worker.id));
    const early = jobs.filter((job) => job.end === undefined || job.endedAt > at || job.lastStepAt > at);
    if (early.length > 0)
      this.#find('receipt', false, `"${receipt.state}" for ${key}, but ${namesOf(early)} still ran`);
  }

  #countCancels(): Finding[] {
    const isCovered = ({ key }: JobRecord): boolean =>
      this.#cancelled.some((above) => key === above || key.startsWith(`${above}/`));
    const jobs = [...this.#workers.jobs.values()];
    const covered = jobs.filter(isCovered);
    const lost = covered.filter(({ end }) => end !== 'cleaned up' && end !== 'refused');
    const hit = jobs.filter((job) => !isCovered(job) && (job.end === 'cleaned up' || job.end === 'refused'));
    const text = `${covered.length - lost.length} of ${covered.length} cancelled jobs have stopped`;
    const never = lost.length === 0 ? '' : `; ${lost.length} never got it: ${namesOf(lost)}`;
    return [
      { name: 'cancelled', isGood: lost.length === 0, text: text + never },
      { name: 'others', isGood: hit.length === 0, text: `${hit.length} of ${jobs.length - covered.length} were hit` },
    ];
  }

  #find(name: string, isGood: boolean, text: string): void {
    this.#findings.push({ name, isGood, text });
  }

  #worker(index: number): Worker {
    return this.#workers.all[index] as Worker;
  }

  #openJobOn(worker: Worker): JobRecord {
    return [...this.#workers.jobs.values()].find((job) => job.worker === worker && job.end === undefined) as JobRecord;
  }

  #stepCount(): number {
    return [...this.#workers.jobs.values()].reduce((sum, { steps }) => sum + steps, 0);
  }
}

function hasEnded({ exitCode }: Worker): boolean {
  return exitCode !== undefined;
}

function lastEnd(jobs: readonly JobRecord[]): number {
  return Math.max(0, ...jobs.map(({ endedAt }) => endedAt));
}

function namesOf(jobs: readonly JobRecord[]): string {
  return jobs.map(({ key }) => key).join(', ');
}

function textOf(end: CancelEnd): string {
  if (end.e === 'sent') return 'sent; nothing says whether it has arrived';
  if (end.e === 'failed') return `${end.code}: ${end.text}`;
  const { state, nodes, lost } = end.receipt;
  const counts = nodes.map(({ node, runCount }) => `${node.split('/')[0]} ${runCount}`).join(', ');
  return `receipt: ${state}; jobs by worker: ${counts}${lost.length === 0 ? '' : `; lost: ${lost.join(', ')}`}`;
}

function report(findings: readonly Finding[], isWithout: boolean): boolean {
  console.log();
  for (const { name, text, isGood } of findings) {
    console.log(`  ${name.padEnd(14)} ${isGood ? text : paint('red', text)}`);
  }
  const isClean = findings.every(({ isGood }) => isGood);
  const what = isWithout ? 'LOST: a message that is sent while its receiver is away never arrives' : 'LOST: see above';
  const verdict = isClean
    ? paint('green', 'nothing was lost: every cancel arrived, and nothing else was hit')
    : paint('red', what);
  console.log(`  ${'verdict'.padEnd(14)} ${verdict}\n`);
  return isClean;
}
