// Random operations on semaphore, mutex, oneshot and watch against naive models.
import { CancellationToken } from '@quiesce/cancellation-token';
import { Mutex, oneshot, Semaphore, type SemaphorePermit, type WatchReceiver, watch } from '@quiesce/channel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runEventLoop } from './vocabulary.ts';

const steps = fc.array(fc.tuple(fc.nat(99), fc.nat(11)), { minLength: 20, maxLength: 80 });

interface Acquire {
  readonly count: number;
  readonly token: CancellationToken;
  wanted: string;
  answer: string;
}

/** A number, and the waiters for it. */
class Stock {
  free: number;
  queue: Acquire[] = [];
  isClosed = false;

  constructor(free: number) {
    this.free = free;
  }

  get open(): number {
    return this.queue.length > 0 ? 0 : this.free;
  }

  settle(): void {
    for (let first = this.queue[0]; first !== undefined; first = this.queue[0]) {
      if (!this.isClosed && this.free < first.count) return;
      this.queue.shift();
      first.wanted = this.isClosed ? 'closed' : 'held';
      if (!this.isClosed) this.free -= first.count;
    }
  }
}

test('a semaphore gives the same results as the model', async () => {
  const property = fc.asyncProperty(fc.nat(4), steps, async (permits, script) => {
    const [semaphore, stock] = [new Semaphore(permits), new Stock(permits)];
    const held: { permit: SemaphorePermit; count: number }[] = [];
    const acquires: Acquire[] = [];
    const acquire = (count: number): void => {
      const op: Acquire = { count, token: new CancellationToken(), wanted: 'pending', answer: 'pending' };
      acquires.push(op);
      semaphore.acquireMany(count, { signal: op.token }).then(
        (permit) => {
          held.push({ permit, count });
          op.answer = 'held';
        },
        (error) => {
          op.answer = error === op.token.reason ? 'cancelled' : 'closed';
        },
      );
      stock.queue.push(op);
    };
    const cancel = (which: number): void => {
      const waiting = acquires.filter(({ wanted }) => wanted === 'pending');
      const op = waiting[which % Math.max(1, waiting.length)];
      if (op === undefined) return;
      op.token.cancel();
      op.wanted = 'cancelled';
      stock.queue = stock.queue.filter((other) => other !== op);
    };
    const release = (which: number): void => {
      const [one] = held.splice(which % Math.max(1, held.length), 1);
      one?.permit.release();
      stock.free += one?.count ?? 0;
    };
    const attempt = (count: number): void => {
      const tried = semaphore.tryAcquireMany(count);
      const isThere = !stock.isClosed && stock.queue.length === 0 && stock.free >= count;
      expect(tried.ok ? tried.value.permitCount : tried.why).toBe(
        isThere ? count : stock.isClosed ? 'closed' : 'no-permits',
      );
      if (!tried.ok) return;
      held.push({ permit: tried.value, count });
      stock.free -= count;
    };
    for (const [kind, which] of script) {
      if (kind < 35) acquire(which % 5);
      else if (kind < 65) release(which);
      else if (kind < 78) cancel(which);
      else if (kind < 88) attempt(which % 4);
      else if (kind < 93) {
        semaphore.addPermits(which % 3);
        stock.free += which % 3;
      } else if (kind < 98) {
        const forgotten = Math.min(which % 3, stock.open);
        expect(semaphore.forgetPermits(which % 3)).toBe(forgotten);
        stock.free -= forgotten;
      } else {
        semaphore.close();
        stock.isClosed = true;
      }
      stock.settle();
      await runEventLoop();
      expect(acquires.map(({ answer }) => answer)).toEqual(acquires.map(({ wanted }) => wanted));
      expect([semaphore.availablePermits, semaphore.isClosed]).toEqual([stock.open, stock.isClosed]);
    }
  });
  await fc.assert(property, { numRuns: 300 });
}, 180_000);

test('a mutex has one owner at a time, in the order of the acquires', async () => {
  const property = fc.asyncProperty(steps, async (script) => {
    const lock = new Mutex();
    let owner: number | undefined;
    const [served, wanted]: [number[], Set<number>] = [[], new Set()];
    const tokens: CancellationToken[] = [];
    const work = async (id: number, turns: number, signal: CancellationToken): Promise<void> => {
      using _ = await lock.acquire({ signal });
      expect(owner).toBeUndefined();
      owner = id;
      served.push(id);
      for (let i = 0; i < turns; i++) await runEventLoop();
      owner = undefined;
    };
    const all = script.map(async ([kind, which], id) => {
      const token = new CancellationToken();
      tokens.push(token);
      wanted.add(id);
      const done = work(id, kind % 2, token).catch((error) => {
        expect(error).toBe(token.reason);
        wanted.delete(id);
      });
      if (kind < 30) tokens[which % tokens.length]?.cancel();
      await done;
    });
    await Promise.all(all);
    expect(served).toEqual([...wanted]);
    expect(lock.isLocked).toBe(false);
  });
  await fc.assert(property, { numRuns: 100 });
}, 180_000);

test('a oneshot gives the same results as the model', async () => {
  const property = fc.asyncProperty(steps, async (script) => {
    const [tx, rx] = oneshot<number>();
    let model: 'open' | 'closed' | number = 'open';
    let [isSpent, isClosed] = [false, false];
    const answers: unknown[] = [];
    const settled: boolean[] = [];
    let waits = 0;
    for (const [kind, which] of script) {
      const id = answers.length;
      if (kind < 40) {
        answers.push('open');
        rx.then(
          (value) => (answers[id] = value),
          () => (answers[id] = 'closed'),
        );
      } else if (kind < 60) {
        waits++;
        void tx.closed().then(() => settled.push(true));
        expect(tx.isClosed).toBe(isSpent || isClosed);
      } else if (kind < 94) {
        const got = rx.tryRecv();
        const why = model === 'open' ? 'empty' : 'closed';
        expect(got).toEqual(typeof model === 'number' ? { ok: true, value: model } : { ok: false, why });
      } else if (kind < 96) {
        if (isSpent) expect(() => tx.send(which)).toThrow();
        else expect(tx.send(which)).toBe(!isClosed);
        if (!isSpent && !isClosed) model = which;
        isSpent = true;
      } else if (kind < 98) {
        tx.close();
        if (model === 'open') model = 'closed';
        isSpent = true;
      } else {
        rx.close();
        if (model === 'open') model = 'closed';
        isClosed = true;
      }
      await runEventLoop();
      expect(answers).toEqual(answers.map(() => model));
      // Each wait for the close settles exactly when the receiver is closed.
      expect(settled).toEqual(isClosed ? Array.from({ length: waits }, () => true) : []);
    }
  });
  await fc.assert(property, { numRuns: 200 });
}, 180_000);

test('a watch gives the same results as the model', async () => {
  const property = fc.asyncProperty(steps, async (script) => {
    const [tx, first] = watch(0);
    let [value, version, isOver] = [0, 0, false];
    const views = [{ rx: first, seen: 0, waiting: undefined as { wanted: string; answer: string } | undefined }];
    const adopt = (rx: WatchReceiver<number>, seen: number): void => void views.push({ rx, seen, waiting: undefined });
    const settle = (): void => {
      for (const view of views) {
        if (view.waiting?.wanted !== 'pending') continue;
        if (view.seen !== version) {
          view.seen = version;
          view.waiting.wanted = String(value);
        } else if (isOver) view.waiting.wanted = 'closed';
      }
    };
    for (const [kind, which] of script) {
      const view = views[which % views.length] as (typeof views)[number];
      if (kind < 25) {
        const next = which % 3;
        if (isOver) expect(() => tx.send(next)).toThrow();
        else if (kind < 12) expect(tx.send(next)).toBe(true);
        else expect(tx.sendIfModified(() => next)).toBe(next !== value);
        if (!isOver && (kind < 12 || next !== value)) [value, version] = [next, version + 1];
      } else if (kind < 60 && view.waiting?.wanted !== 'pending') {
        const waiting = { wanted: 'pending', answer: 'pending' };
        view.waiting = waiting;
        view.rx.changed().then(
          (seen) => (waiting.answer = String(seen)),
          () => (waiting.answer = 'closed'),
        );
      } else if (kind < 70) {
        expect(view.rx.borrowAndUpdate()).toBe(value);
        view.seen = version;
      } else if (kind < 76) {
        view.rx.markChanged();
        view.seen = -1;
      } else if (kind < 80) {
        view.rx.markUnchanged();
        view.seen = version;
      } else if (kind < 88) adopt(view.rx.clone(), view.seen);
      else if (kind < 94 && !isOver) adopt(tx.subscribe(), version);
      else if (kind > 97) {
        tx.close();
        isOver = true;
      }
      settle();
      await runEventLoop();
      expect(views.map(({ rx }) => [rx.borrow(), rx.hasChanged(), rx.isClosed])).toEqual(
        views.map(({ seen }) => [value, seen !== version, isOver]),
      );
      expect(views.map((each) => each.waiting?.answer)).toEqual(views.map((each) => each.waiting?.wanted));
      expect([tx.receiverCount, tx.borrow()]).toEqual([views.length, value]);
    }
  });
  await fc.assert(property, { numRuns: 200 });
}, 180_000);
