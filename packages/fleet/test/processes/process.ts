// A member of a fleet in a process of its own.
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { forkProgram } from '../../../../test/programs.ts';
import type { Order, Report, Setup } from './protocol.ts';

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url));

export class MemberProcess {
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  #waiting: (() => void)[] = [];
  id = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#child.on('message', (report: Report) => {
      this.#reports.push(report);
      this.#wake();
    });
    this.#child.on('exit', () => this.#wake());
  }

  static async join(setup: Setup): Promise<MemberProcess> {
    const member = new MemberProcess(await forkProgram(worker, JSON.stringify(setup)));
    member.id = (await member.next('joined')).id;
    return member;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  /** Waits for the next report of a kind, and takes it. */
  async next<E extends Report['e']>(kind: E): Promise<Report & { readonly e: E }> {
    for (;;) {
      const index = this.#reports.findIndex(({ e }) => e === kind);
      if (index !== -1) return this.#reports.splice(index, 1)[0] as Report & { readonly e: E };
      if (this.#isOver) throw new Error(`the process has ended before it said ${kind}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  continue(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#isOver) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
