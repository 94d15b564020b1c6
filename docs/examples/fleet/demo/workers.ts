// Three workers, each behind a proxy, and what they have reported.
import type { ChildProcess } from 'node:child_process';
import { startProxy, type TestProxy } from '../../../../packages/fleet/test/proxy.ts';
import type { CancelEnd, JobReport, Order, Report, Setup } from '../protocol.ts';
import type { DemoEngine } from './engine.ts';
import { killProcess, startProcess } from './processes.ts';

/** A job, as its process has reported it. */
export interface JobRecord {
  readonly key: string;
  readonly worker: Worker;
  steps: number;
  lastStepAt: number;
  /** How it has ended; `undefined` while it runs. */
  end: 'cleaned up' | 'done' | 'refused' | undefined;
  endedAt: number;
}

/** A write of the billing, as it arrived. */
export interface Bill {
  readonly worker: Worker;
  readonly fence: number;
  readonly at: number;
}

export interface Worker {
  readonly node: string;
  readonly process: ChildProcess;
  readonly proxy: TestProxy;
  id: string;
  hints: string;
  drainingAt: number | undefined;
  leaseLost: number[];
  exitCode: number | null | undefined;
}

/** How long the demo waits for anything, in ms. Only something that hangs takes that long. */
const PATIENCE = 120_000;

export class Workers {
  readonly all: Worker[] = [];
  readonly jobs: Map<string, JobRecord> = new Map();
  readonly bills: Bill[] = [];
  readonly #cancels: Map<number, CancelEnd> = new Map();
  readonly #waits: Set<() => void> = new Set();
  #cancelCount = 0;

  async start(program: string, engine: DemoEngine): Promise<void> {
    const namespace = `demo-${process.pid}-${Date.now() % 100_000}`;
    for (const node of ['worker-1', 'worker-2', 'worker-3']) {
      const url = new URL(engine.url);
      const proxy = await startProxy(Number(url.port || defaultPorts[url.protocol]), url.hostname);
      url.host = `127.0.0.1:${proxy.port}`;
      const setup: Setup = { node, url: url.href, isPolled: engine.isPolled, namespace };
      const child = startProcess(program, [JSON.stringify(setup)]);
      const facts = { id: '', hints: '', drainingAt: undefined, leaseLost: [], exitCode: undefined };
      const worker: Worker = { node, process: child, proxy, ...facts };
      child.on('message', (report: Report) => this.#on(worker, report));
      child.once('exit', (code) => {
        worker.exitCode = code;
        this.#changed();
      });
      this.all.push(worker);
    }
    await this.until('the workers have joined', () => this.all.every(({ id }) => id !== ''));
  }

  run(worker: Worker, key: string): void {
    this.jobs.set(key, { key, worker, steps: 0, lastStepAt: 0, end: undefined, endedAt: 0 });
    this.order(worker, { op: 'run', key });
  }

  /** Lets a worker cancel, and waits for its report. */
  async cancel(worker: Worker, key: string, timeout = PATIENCE): Promise<CancelEnd> {
    const cancel = this.#cancelCount++;
    this.order(worker, { op: 'cancel', cancel, key, timeout });
    await this.until(`the cancel of ${key} has settled`, () => this.#cancels.has(cancel));
    return this.#cancels.get(cancel) as CancelEnd;
  }

  /** Returns the jobs at or below a key. */
  below(key: string): JobRecord[] {
    return [...this.jobs.values()].filter((job) => job.key === key || job.key.startsWith(`${key}/`));
  }

  order(worker: Worker, order: Order): void {
    if (worker.process.connected) worker.process.send(order);
  }

  /** Waits until reports make a condition true. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        const dead = this.all.find(({ exitCode, drainingAt }) => exitCode !== undefined && drainingAt === undefined);
        if (dead !== undefined) end(() => reject(new Error(`${dead.node} has ended with ${dead.exitCode}`)));
        else if (holds()) end(resolve);
      };
      const timer = setTimeout(() => end(() => reject(new Error(`waited in vain until ${what}`))), PATIENCE);
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waits.delete(check);
        settle();
      };
      this.#waits.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    for (const { process, proxy } of this.all) {
      await killProcess(process);
      await proxy.close();
    }
  }

  #on(worker: Worker, report: Report): void {
    if ('key' in report) this.#onJob(report);
    else if ('cancel' in report) this.#cancels.set(report.cancel, report);
    else if (report.e === 'bill') this.bills.push({ worker, ...report });
    else if (report.e === 'lease lost') worker.leaseLost.push(report.fence);
    else if (report.e === 'draining') worker.drainingAt = report.at;
    else if (report.e === 'joined') Object.assign(worker, { id: report.id, hints: report.hints });
    this.#changed();
  }

  #onJob({ e, key, at }: JobReport): void {
    const job = this.jobs.get(key) as JobRecord;
    if (e === 'step') {
      job.steps++;
      job.lastStepAt = at;
    } else {
      job.end = e;
      job.endedAt = at;
    }
  }

  #changed(): void {
    for (const check of [...this.#waits]) check();
  }
}

const defaultPorts: Record<string, number> = { 'postgres:': 5432, 'postgresql:': 5432, 'redis:': 6379, 'nats:': 4222 };
