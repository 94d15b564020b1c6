// Random operations on a channel against a naive model: arrays, and a loop that does the next possible step.
import { CancellationToken } from '@quiesce/cancellation-token';
import { channel, type Permit, type Receiver, SendError, type Sender } from '@quiesce/channel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runEventLoop } from './vocabulary.ts';

type Answer = 'pending' | 'sent' | 'permit' | 'closed' | 'cancelled' | readonly number[];

interface Op {
  readonly kind: 'send' | 'reserve' | 'recv';
  readonly value: number;
  readonly token: CancellationToken;
  /** It was given its token. Without options the fast paths are taken, with them the others. */
  readonly isCancellable: boolean;
  /** The result of the model, and the result of the channel. */
  wanted: Answer;
  answer: Answer;
}

class Model {
  readonly capacity: number;
  queue: number[] = [];
  sends: Op[] = [];
  recvs: Op[] = [];
  permits = 0;
  senders = 1;
  weak = 0;
  isClosed = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get free(): number {
    return this.capacity - this.queue.length - this.permits;
  }

  /** The room that a new send could take. */
  get open(): number {
    return this.sends.length > 0 ? 0 : this.free;
  }

  /** Permits that are out, and sends that wait, keep it open without their sender. */
  get isSendable(): boolean {
    return this.senders + this.permits + this.sends.length > 0;
  }

  get isOver(): boolean {
    return (this.isClosed || this.senders === 0) && this.queue.length + this.permits + this.sends.length === 0;
  }

  settle(): void {
    for (;;) {
      const [recv, first] = [this.recvs[0], this.sends[0]];
      if (this.isClosed && first !== undefined) (this.sends.shift() as Op).wanted = 'closed';
      else if (recv !== undefined && this.queue.length > 0) recv.wanted = this.take(recv.value, this.recvs);
      else if (first !== undefined && this.free > 0) {
        this.serve(this.sends.shift() as Op);
        // A waiting receive takes the value in the same step, before the next one in the queue.
        if (recv !== undefined && this.queue.length > 0) {
          this.recvs.shift();
          recv.wanted = [this.queue.shift() as number];
        }
      } else if (recv !== undefined && this.isOver) (this.recvs.shift() as Op).wanted = 'closed';
      else return;
    }
  }

  /** Takes up to this many values, each of which makes room for the next waiter. */
  take(limit: number, from: Op[]): readonly number[] {
    from.shift();
    const values: number[] = [];
    while (values.length < limit && this.queue.length > 0) {
      values.push(this.queue.shift() as number);
      if (this.sends.length > 0 && !this.isClosed) this.serve(this.sends.shift() as Op);
    }
    return values;
  }

  serve(op: Op): void {
    if (op.kind === 'send') {
      op.wanted = 'sent';
      this.queue.push(op.value);
    } else {
      op.wanted = 'permit';
      this.permits++;
    }
  }

  start(op: Op): void {
    (op.kind === 'recv' ? this.recvs : this.sends).push(op);
    this.settle();
  }

  cancel(op: Op): void {
    op.wanted = 'cancelled';
    this.sends = this.sends.filter((other) => other !== op);
    this.recvs = this.recvs.filter((other) => other !== op);
    this.settle();
  }
}

/** The channel under test and its model, driven side by side. */
class Pair {
  readonly model: Model;
  readonly rx: Receiver<number>;
  readonly senders: Sender<number>[];
  readonly permits: Permit<number>[] = [];
  readonly ops: Op[] = [];
  sent = 0;

  constructor(capacity: number) {
    const [tx, rx] = channel<number>(capacity);
    this.model = new Model(capacity);
    this.senders = [tx];
    this.rx = rx;
  }

  async step(kind: number, which: number): Promise<void> {
    const tx = this.senders[which % Math.max(1, this.senders.length)];
    if (kind < 22) this.start('send', tx, this.sent++, which);
    else if (kind < 30) this.start('reserve', tx, 0, which);
    else if (kind < 50) this.start('recv', undefined, 1 + (which % 3), which);
    else if (kind < 60) this.tryRecv();
    else if (kind < 66) this.trySend(tx);
    else if (kind < 72) this.usePermit(which);
    else if (kind < 77) this.releasePermit(which);
    else if (kind < 88) this.cancel(which);
    else if (kind < 92) this.clone(tx);
    else if (kind < 97) this.closeSender(which);
    else if (kind < 99) this.close();
    else this.dispose();
    await runEventLoop();
    expect(this.observed()).toEqual(this.expected());
  }

  start(kind: Op['kind'], tx: Sender<number> | undefined, value: number, which: number): void {
    if (kind !== 'recv' && tx === undefined) return;
    const token = new CancellationToken();
    const op: Op = { kind, value, token, isCancellable: which % 2 === 0, wanted: 'pending', answer: 'pending' };
    this.ops.push(op);
    void this.run(op, tx, op.isCancellable ? { signal: token } : undefined).catch((error: unknown) => {
      op.answer = error === op.token.reason ? 'cancelled' : 'closed';
      if (kind === 'send' && op.answer === 'closed') expect((error as SendError).value).toBe(value);
      expect(error instanceof SendError).toBe(kind === 'send' && op.answer === 'closed');
    });
    this.model.start(op);
  }

  async run(op: Op, tx: Sender<number> | undefined, options: { signal: CancellationToken } | undefined): Promise<void> {
    if (op.kind === 'recv') {
      op.answer = op.value === 1 ? [await this.rx.recv(options)] : await this.rx.recvMany(op.value, options);
    } else if (op.kind === 'send') {
      await tx?.send(op.value, options);
      op.answer = 'sent';
    } else {
      const permit = await tx?.reserve(options);
      if (permit !== undefined) this.permits.push(permit);
      op.answer = 'permit';
    }
  }

  tryRecv(): void {
    const { model } = this;
    const got = this.rx.tryRecv();
    const isFirst = model.recvs.length === 0;
    if (isFirst && model.queue.length > 0) expect(got).toEqual({ ok: true, value: model.take(1, [])[0] });
    else expect(got).toEqual({ ok: false, why: model.isOver ? 'closed' : 'empty' });
    model.settle();
  }

  trySend(tx: Sender<number> | undefined): void {
    if (tx === undefined) return;
    const { model } = this;
    const value = this.sent++;
    const why = model.isClosed ? 'closed' : 'full';
    const ok = !model.isClosed && model.open > 0;
    if (ok) model.queue.push(value);
    expect(tx.trySend(value)).toEqual(ok ? { ok } : { ok, why });
    model.settle();
  }

  usePermit(which: number): void {
    const permit = this.takePermit(which);
    if (permit === undefined) return;
    const value = this.sent++;
    permit.send(value);
    this.model.permits--;
    this.model.queue.push(value);
    this.model.settle();
  }

  releasePermit(which: number): void {
    const permit = this.takePermit(which);
    if (permit === undefined) return;
    permit.release();
    this.model.permits--;
    this.model.settle();
  }

  takePermit(which: number): Permit<number> | undefined {
    return this.permits.splice(which % Math.max(1, this.permits.length), 1)[0];
  }

  cancel(which: number): void {
    const waiting = this.ops.filter((op) => op.isCancellable && op.wanted === 'pending');
    const op = waiting[which % Math.max(1, waiting.length)];
    if (op === undefined) return;
    op.token.cancel();
    this.model.cancel(op);
  }

  clone(tx: Sender<number> | undefined): void {
    if (tx === undefined) return;
    this.senders.push(tx.clone());
    this.model.senders++;
  }

  closeSender(which: number): void {
    const [tx] = this.senders.splice(which % Math.max(1, this.senders.length), 1);
    if (tx === undefined) return;
    tx.close();
    this.model.senders--;
    this.model.settle();
  }

  close(): void {
    this.rx.close();
    this.model.isClosed = true;
    this.model.settle();
  }

  /** Only at the end of a run: with permits out it changes their effect. */
  dispose(): void {
    if (this.permits.length > 0) return;
    this.rx.dispose();
    this.model.queue = [];
    this.close();
  }

  observed(): object {
    const { rx, senders } = this;
    return {
      answers: this.ops.map(({ answer }) => answer),
      receiver: [rx.length, rx.isClosed, rx.strongCount],
      senders: senders.map((tx) => [tx.capacity, tx.isClosed]),
    };
  }

  expected(): object {
    const { model } = this;
    return {
      answers: this.ops.map(({ wanted }) => wanted),
      receiver: [model.queue.length, model.isClosed || !model.isSendable, model.senders],
      senders: this.senders.map(() => [model.open, model.isClosed]),
    };
  }
}

test('random operations give the same results as the model', async () => {
  const operations = fc.array(fc.tuple(fc.nat(99), fc.nat(11)), { minLength: 20, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), operations, async (capacity, steps) => {
      const pair = new Pair(capacity);
      for (const [kind, which] of steps) await pair.step(kind, which);
    }),
    { numRuns: 400 },
  );
});
