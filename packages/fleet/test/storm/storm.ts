// A storm: several processes cancel each other's work while connections fail, the engine is killed, and processes stand still, are
// killed, leave and join. The verdict comes from what the processes report, not from what the fleet says.
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CancelUntil } from '@quiesce/fleet';
import { forkProgram } from '../../../../test/programs.ts';
import type { TestServer } from '../../../adapters/test/servers.ts';
import type { Hold } from '../processes/hold.ts';
import { startProxy, type TestProxy } from '../proxy.ts';
import type { EngineKind, Mistake } from './engines.ts';
import { type LeaseName, leases, type Method, now, type Order, type Report, type Setup } from './protocol.ts';

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url));

export interface StormOptions {
  readonly kind: EngineKind;
  readonly server: TestServer;
  readonly seed: number;
  /** How many cancels. */
  readonly cancels: number;
  readonly method?: Method;
  readonly mistake?: Mistake;
  /** Whether the engine loses its data when it is killed. */
  readonly isForgetful?: boolean;
  /** How often the engine is killed. Default: 2. */
  readonly kills?: number;
}

/** What happened. The lists are of readable lines, and empty unless something is wrong. */
export interface Verdict {
  readonly seed: number;
  readonly cancels: number;
  /** Runs that a recorded cancel covers and that were not cancelled. */
  readonly lost: string[];
  /** Runs that no cancel covers and that were cancelled or refused. */
  readonly hit: string[];
  /** Receipts that the processes' own reports contradict. */
  readonly untrue: string[];
  /** Calls that did not settle in time, or with another error than the two named ones. */
  readonly unsettled: string[];
  /** Holders of a lease beyond its permits, and fences that did not grow. */
  readonly shared: string[];
  /** How often a lease was held. */
  readonly holdCount: number;
  /** How many processes were killed, and how many left in order. Another one took the place of each. */
  readonly killed: number;
  readonly left: number;
  /** How many calls ended with each state or code. */
  readonly outcomes: Record<string, number>;
}

/** The limit of each cancel, in ms. */
const TIMEOUT = 6_000;
/** How long everything may take to end once nothing fails any more, in ms: several rereads, reconnections and answers. */
const QUIET = 30_000;
/** How many scenarios are under way at the same time: more of them in a long storm. */
const atOnce = (cancels: number): number => Math.min(200, Math.max(24, cancels / 20));
const FAILURES = ['ERR_ENGINE_UNAVAILABLE', 'ERR_CANCEL_INCOMPLETE'];
/** `reread` and the longest pause between two attempts to connect: live members return in this time after the engine, in ms. */
const RETURN = 300 + 1_000;
/** How many members there are, beside a caller that is no member. */
const MEMBERS = 3;

interface RunRecord {
  readonly run: number;
  readonly key: string;
  readonly node: StormNode;
  startedAt?: number;
  cancelledAt?: number;
  endedAt?: number;
  refusedAt?: number;
}

interface CancelRecord {
  readonly cancel: number;
  readonly key: string;
  readonly node: StormNode;
  readonly until: CancelUntil;
  calledAt?: number;
  settled?: Report & { readonly e: 'receipt' | 'failed' };
}

export async function runStorm(options: StormOptions): Promise<Verdict> {
  const storm = new Storm(options);
  try {
    return await storm.run();
  } finally {
    await storm.close();
  }
}

class Storm {
  readonly #options: StormOptions;
  readonly #random: () => number;
  /** The members that work, and those that are about to join. */
  readonly #members: StormNode[] = [];
  readonly #joining: Set<Promise<unknown>> = new Set();
  /** All processes: the caller, the members, and those that are gone. */
  readonly #nodes: StormNode[] = [];
  #caller: StormNode | undefined;
  readonly #runs: RunRecord[] = [];
  readonly #cancels: CancelRecord[] = [];
  readonly #holds: Record<LeaseName, Hold[]> = { alone: [], pair: [] };
  /** When the engine was killed, and was back. */
  readonly #kills: { readonly at: number; readonly backAt: number }[] = [];
  #isBlowing = true;

  constructor(options: StormOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  async run(): Promise<Verdict> {
    this.#caller = await this.#startNode(false);
    for (let n = 0; n < MEMBERS; n++) this.#members.push(await this.#startNode());
    const faults = Promise.all([this.#blow(), this.#contend()]);
    let next = 0;
    const scenarios = Array.from({ length: atOnce(this.#options.cancels) }, async () => {
      while (next < this.#options.cancels) await this.#scenario(next++);
    });
    await Promise.all(scenarios);
    this.#isBlowing = false;
    await faults;
    await Promise.all(this.#joining);
    return await this.#verdict();
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end()));
  }

  /** One job with several attempts, one or two cancels, and bystanders. */
  async #scenario(job: number): Promise<void> {
    const key = (attempt: number): string => `jobs/${job}/${attempt}`;
    const kind = this.#integer(5);
    const until = this.#pick(['recorded', 'delivered', 'ended'] as const);
    this.#startRun(`jobs/${job}0/1`);
    if (kind === 0) {
      // Cancelled before it starts.
      await this.#cancel(key(1), until);
      await this.#started(this.#startRun(key(1)));
    } else if (kind === 1) {
      // Reassigned while the cancel of the first attempt is under way.
      await this.#started(this.#startRun(key(1)));
      const cancelled = this.#cancel(key(1), until);
      await this.#pause(20);
      this.#startRun(key(2));
      await cancelled;
    } else if (kind === 2) {
      // A prefix, and runs that start meanwhile.
      this.#startRun(key(1));
      await this.#pause(20);
      const cancelled = this.#cancel(`jobs/${job}`, until);
      this.#startRun(key(2));
      await cancelled;
      this.#startRun(key(3));
    } else if (kind === 3) {
      // Two cancels of one run, which is slow to end.
      await this.#started(this.#startRun(key(1), 300));
      await Promise.all([this.#cancel(key(1), until), this.#pause(50).then(() => this.#cancel(key(1), 'ended'))]);
    } else {
      await this.#started(this.#startRun(key(1)));
      this.#startRun(key(11));
      await this.#pause(30);
      await this.#cancel(key(1), until);
    }
  }

  #startRun(key: string, cleanupMs = this.#integer(20)): RunRecord {
    const node = this.#pick(this.#members);
    const record: RunRecord = { run: this.#runs.length, key, node };
    this.#runs.push(record);
    node.order({ op: 'run', run: record.run, key, cleanupMs });
    return record;
  }

  /** Waits until a run has started or was refused; a process that stands still is not waited for. */
  async #started(record: RunRecord): Promise<void> {
    for (let n = 0; n < 200 && record.startedAt === undefined && record.refusedAt === undefined; n++) await sleep(5);
  }

  async #cancel(key: string, until: CancelUntil): Promise<void> {
    const node = this.#pick([...this.#members, this.#caller as StormNode]);
    const record: CancelRecord = { cancel: this.#cancels.length, key, node, until };
    this.#cancels.push(record);
    node.order({ op: 'cancel', cancel: record.cancel, key, until });
    const end = Date.now() + TIMEOUT + QUIET;
    while (record.settled === undefined && !node.isGone && Date.now() < end) await sleep(5);
  }

  /** Makes connections fail, kills the engine, and stops processes, until the scenarios have ended. */
  async #blow(): Promise<void> {
    const { server, kills = 2, cancels } = this.#options;
    let killed = 0;
    while (this.#isBlowing) {
      await this.#pause(400);
      const node = this.#pick([...this.#members, this.#caller as StormNode]);
      const isTime = this.#cancels.length > ((killed + 1) * cancels) / (kills + 1);
      if (killed < kills && isTime) {
        killed++;
        const at = now();
        await server.kill();
        await this.#pause(600);
        await server.restart();
        this.#kills.push({ at, backAt: now() });
        continue;
      }
      if (this.#integer(8) === 0 && this.#members.length === MEMBERS) {
        this.#replace(this.#pick(this.#members));
        continue;
      }
      const fault = this.#integer(6);
      if (fault === 0) node.proxy.cut();
      else if (fault === 1) node.proxy.silence();
      else if (fault === 2) node.proxy.mute();
      else if (fault === 3) node.proxy.delay(this.#integer(120));
      else if (fault === 4) node.proxy.deafen();
      else node.stop();
      // Now and then longer than `memberTtl`.
      await this.#pause(this.#integer(6) === 0 ? 4_000 : 800);
      node.proxy.heal();
      node.continue();
    }
    for (const node of this.#nodes) {
      node.proxy.heal();
      node.continue();
    }
  }

  /** Makes members contend for leases. */
  async #contend(): Promise<void> {
    while (this.#isBlowing) {
      const lease = this.#pick(Object.keys(leases) as LeaseName[]);
      this.#pick(this.#members).order({ op: 'hold', lease, workMs: this.#integer(150) });
      await this.#pause(200);
    }
  }

  /** Describes each hold that began while others had all permits, or whose fence is not above the last one. */
  #sharedHolds(): string[] {
    return (Object.keys(leases) as LeaseName[]).flatMap((lease) => {
      const holds = this.#holds[lease].sort((a, b) => a.heldAt - b.heldAt);
      return holds
        .filter((hold, index) => {
          const earlier = holds.slice(0, index);
          const others = earlier.filter(({ lastValidAt }) => lastValidAt >= hold.heldAt);
          const isOrdered = leases[lease] > 1 || earlier.every(({ fence }) => fence < hold.fence);
          return others.length >= leases[lease] || !isOrdered;
        })
        .map((hold) => `${lease}: ${JSON.stringify(hold)}`);
    });
  }

  /** Kills a member, or makes it leave, while another one joins. */
  #replace(node: StormNode): void {
    this.#members.splice(this.#members.indexOf(node), 1);
    if (this.#integer(2) === 0) node.kill();
    else node.leave();
    const joining = this.#startNode().then((next) => this.#members.push(next));
    this.#joining.add(joining);
  }

  async #verdict(): Promise<Verdict> {
    const covers = (cancel: CancelRecord, run: RunRecord): boolean =>
      run.key === cancel.key || run.key.startsWith(`${cancel.key}/`);
    const isOver = (run: RunRecord): boolean =>
      run.endedAt !== undefined || run.refusedAt !== undefined || run.node.isGone;
    const recorded = this.#cancels.filter((cancel) => this.#mustArrive(cancel));
    const covered = this.#runs.filter((run) => recorded.some((cancel) => covers(cancel, run)));
    // A mistake is known to lose some: they are not waited for as long.
    const isMistaken = this.#options.mistake !== undefined || this.#options.method === 'plain messages';
    const end = Date.now() + (isMistaken ? QUIET / 3 : QUIET);
    while (covered.some((run) => !isOver(run)) && Date.now() < end) await sleep(20);
    const lost = covered
      .filter((run) => !isOver(run))
      .map((run) => `${this.#describe(run)}: ${JSON.stringify(recorded.filter((cancel) => covers(cancel, run)))}`);
    const hit = this.#runs
      // A member that leaves cancels its runs, and refuses new ones.
      .filter(
        ({ node, cancelledAt, refusedAt }) => (cancelledAt ?? refusedAt ?? Number.POSITIVE_INFINITY) < node.leavesAt,
      )
      .filter((run) => !this.#cancels.some((cancel) => covers(cancel, run)))
      .map((run) => this.#describe(run));
    const untrue = this.#cancels.flatMap((cancel) => {
      const { settled } = cancel;
      if (settled?.e !== 'receipt') return [];
      return this.#runs
        .filter(
          (run) => covers(cancel, run) && this.#contradicts(settled, run) && !this.#mayMiss(cancel, run, settled.at),
        )
        .map((run) => `${settled.receipt.state} at ${settled.at}: ${this.#describe(run)}`);
    });
    const unsettled = this.#cancels
      .filter((cancel) => !this.#isSettledWell(cancel))
      .map(({ cancel, settled }) => `cancel ${cancel}: ${JSON.stringify(settled)}`);
    for (const node of this.#nodes) if (!node.hasLeftInTime) unsettled.push(`close of ${node.id}`);
    // Two holders are possible for one `ttl` when the engine has lost its data.
    const shared = this.#options.isForgetful ? [] : this.#sharedHolds();
    const held = { shared, holdCount: this.#holds.alone.length + this.#holds.pair.length };
    const gone = this.#nodes.filter(({ isGone }) => isGone);
    const left = gone.filter(({ leavesAt }) => leavesAt < Number.POSITIVE_INFINITY).length;
    const outcomes: Record<string, number> = {};
    for (const { settled } of this.#cancels) {
      const name = settled?.e === 'receipt' ? settled.receipt.state : (settled?.code ?? 'none');
      outcomes[name] = (outcomes[name] ?? 0) + 1;
    }
    return {
      seed: this.#options.seed,
      cancels: this.#cancels.length,
      lost,
      hit,
      untrue,
      unsettled,
      ...held,
      killed: gone.length - left,
      left,
      outcomes,
    };
  }

  /**
   * Whether a cancel reaches every run. An engine that loses its data gets a cancel back from the members that know it: the one that
   * recorded it, as long as it lives, and those that have confirmed it.
   */
  #mustArrive({ node, settled }: CancelRecord): boolean {
    if (settled === undefined) return false;
    const isRecorded = settled.e === 'receipt' || settled.isRecorded;
    if (!this.#options.isForgetful || (node !== this.#caller && !node.isGone)) return isRecorded;
    return settled.e === 'receipt' && settled.receipt.state !== 'recorded';
  }

  /** Whether a receipt says of a run what its process says differently. */
  #contradicts({ receipt, at }: Report & { e: 'receipt' }, run: RunRecord): boolean {
    if (run.startedAt === undefined || run.startedAt >= at || receipt.lost.includes(run.node.id)) return false;
    const isEnded = (run.endedAt ?? run.node.killedAt) <= at;
    if (receipt.state === 'ended' || receipt.state === 'nobody') return !isEnded;
    if (receipt.state !== 'delivered') return false;
    return !isEnded && (run.cancelledAt === undefined || run.cancelledAt > at);
  }

  /**
   * Whether a receipt can miss the member of a run: a process that joins after the engine has lost its data does not notice that, and
   * members are listed only when they have returned. See the limits in the README.
   */
  #mayMiss({ node: canceller }: CancelRecord, { node }: RunRecord, at: number): boolean {
    const loss = this.#options.isForgetful ? this.#kills.filter((kill) => kill.at < at).at(-1) : undefined;
    if (loss === undefined || at > loss.backAt + RETURN) return false;
    return node.joinedAt < loss.at && canceller.joinedAt > loss.at;
  }

  #isSettledWell({ node, calledAt, settled }: CancelRecord): boolean {
    if (settled === undefined || calledAt === undefined) return node.isGone;
    const isExpected = settled.e !== 'failed' || FAILURES.includes(settled.code) || settled.at >= node.leavesAt;
    if (!isExpected && this.#options.method !== 'plain messages') return false;
    // A process that stands still settles nothing. Only a call without a limit is far beyond.
    return settled.at - calledAt < TIMEOUT + node.stoppedMs + QUIET;
  }

  #describe({ key, node, startedAt, cancelledAt, endedAt, refusedAt }: RunRecord): string {
    return `${key} on ${node.id}: ${JSON.stringify({ startedAt, cancelledAt, endedAt, refusedAt })}`;
  }

  async #startNode(isMember = true): Promise<StormNode> {
    const { kind, server, seed, method = 'fleet', mistake } = this.#options;
    const proxy = await startProxy(server.port);
    const namespace = `storm-${seed}`;
    const name = `n${this.#nodes.length}`;
    const setup: Setup = {
      ...{ kind, method, mistake, namespace, isMember, timeout: TIMEOUT },
      ...{ port: proxy.port, node: name },
    };
    const child = await forkProgram(worker, JSON.stringify(setup));
    const node = new StormNode(name, child, proxy, (report) => this.#onReport(report));
    this.#nodes.push(node);
    await node.joined;
    return node;
  }

  #onReport(report: Report): void {
    if (report.e === 'held') this.#holds[report.lease].push(report);
    else if ('run' in report) {
      const record = this.#runs[report.run] as RunRecord;
      if (report.e === 'started') record.startedAt = report.at;
      else if (report.e === 'cancelled') record.cancelledAt = report.at;
      else if (report.e === 'ended') record.endedAt = report.at;
      else if (report.e === 'refused') record.refusedAt = report.at;
    } else if ('cancel' in report) {
      const record = this.#cancels[report.cancel] as CancelRecord;
      if (report.e === 'called') record.calledAt = report.at;
      else record.settled = report;
    }
  }

  #integer(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#integer(list.length)] as T;
  }

  #pause(most: number): Promise<void> {
    return sleep(this.#integer(most + 1));
  }
}

/** One process with its proxy. */
class StormNode {
  readonly proxy: TestProxy;
  readonly joined: Promise<void>;
  id = '';
  joinedAt = Number.POSITIVE_INFINITY;
  /** How long it has stood still, in ms. */
  stoppedMs = 0;
  /** When it was killed, and when it was told to leave; `Infinity`: not yet. */
  killedAt = Number.POSITIVE_INFINITY;
  leavesAt = Number.POSITIVE_INFINITY;
  /** Whether its process has ended. */
  isGone = false;
  #leftAt = Number.POSITIVE_INFINITY;
  readonly #child: ChildProcess;
  #stoppedAt: number | undefined;

  constructor(name: string, child: ChildProcess, proxy: TestProxy, onReport: (report: Report) => void) {
    this.proxy = proxy;
    this.#child = child;
    this.joined = new Promise((resolve, reject) => {
      this.#child.on('exit', (code) => {
        this.isGone = true;
        reject(new Error(`${name} has ended with ${code}`));
      });
      this.#child.on('message', (report: Report) => {
        if (report.e === 'joined') {
          this.id = report.id;
          this.joinedAt = now();
          resolve();
        } else if (report.e === 'closed') this.#leftAt = report.at;
        else onReport(report);
      });
    });
    this.joined.catch(() => {});
  }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  stop(): void {
    this.#stoppedAt = Date.now();
    this.#child.kill('SIGSTOP');
  }

  continue(): void {
    if (this.#stoppedAt === undefined) return;
    this.stoppedMs += Date.now() - this.#stoppedAt;
    this.#stoppedAt = undefined;
    this.#child.kill('SIGCONT');
  }

  /** How messages about a cancel name the process. */
  toJSON(): string {
    return this.id;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
    this.killedAt = now();
  }

  leave(): void {
    this.leavesAt = now();
    this.order({ op: 'close' });
  }

  /** Whether `close` has ended, if it was called: not later than its calls of the engine, and the cleanup of its runs. */
  get hasLeftInTime(): boolean {
    return this.leavesAt === Number.POSITIVE_INFINITY || this.#leftAt - this.leavesAt < this.stoppedMs + QUIET;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await ended;
    }
    await this.proxy.close();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns random numbers that depend on the seed alone (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
