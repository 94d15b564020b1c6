import { CancellationToken, isCancelledError, isClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel } from '@quiesce/channel';
import { type MapProgress, Scope, ScopeError, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { failing, obedient, rejection, turn, uncaughtIn, unhandledIn } from './vocabulary.ts';

const failure = new Error('no space left');

/** Reads results until the end. */
async function readAll<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

describe('every order of ends and reads', () => {
  const itemCount = 3;
  type Move = 'read' | 'stop' | 'cancel' | 'leave' | `${'end' | 'fail'} ${number}`;

  /** What a naive reader of the documentation expects. */
  class Model {
    readonly concurrency: number;
    started = 0;
    running: number[] = [];
    unread: string[] = [];
    /** The results of `next()`, in the order of the calls; `pending` for those that wait. */
    reads: string[] = [];
    /** How many results were read. */
    acceptedCount = 0;
    hasEvent = false;
    isStopped = false;
    /** What the next read after the unread results gives, or `undefined` while more results may come. */
    end: string | undefined = undefined;

    constructor(concurrency: number) {
      this.concurrency = concurrency;
      this.#settle();
    }

    get moves(): Move[] {
      const canRead = this.reads.length <= itemCount && this.reads.filter((read) => read === 'pending').length < 2;
      const ends = this.running.map((item): Move => `end ${item}`);
      const fails = this.running.map((item): Move => `fail ${item}`);
      return [
        ...(canRead ? ['read' as const] : []),
        ...ends,
        ...(this.hasEvent ? [] : (['stop', 'cancel', 'leave', ...fails] as const)),
      ];
    }

    apply(move: Move): void {
      const [kind, item] = move.split(' ');
      if (kind === 'read') this.reads.push('pending');
      else if (kind === 'end') {
        this.running = this.running.filter((one) => one !== Number(item));
        this.unread.push(`result ${item}`);
      } else this.#event(kind as string);
      this.#settle();
    }

    #event(kind: string): void {
      this.hasEvent = true;
      if (kind === 'stop') this.isStopped = true;
      else {
        // A cancellation that comes when all results are there changes nothing.
        if (this.end === undefined) this.end = kind === 'leave' ? 'done' : kind;
        if (kind === 'leave') [this.unread, this.end] = [[], 'done'];
        this.running = [];
      }
    }

    #settle(): void {
      for (let read = this.reads.indexOf('pending'); read >= 0; read = this.reads.indexOf('pending')) {
        const result = this.unread.shift() ?? this.end;
        if (result === undefined) break;
        if (result.startsWith('result')) this.acceptedCount++;
        else this.end = 'done';
        this.reads[read] = result;
      }
      while (
        this.end === undefined &&
        !this.isStopped &&
        this.started < Math.min(itemCount, this.acceptedCount + this.concurrency)
      )
        this.running.push(this.started++);
      // The end of the items is seen when a place is free for another one.
      const hasAll = this.isStopped || this.acceptedCount + this.concurrency > itemCount;
      if (this.running.length === 0 && hasAll) this.end ??= 'done';
      if (this.end === 'done' && this.unread.length === 0)
        this.reads = this.reads.map((read) => (read === 'pending' ? 'done' : read));
    }
  }

  /** Makes the moves, and compares everything with the model after each. Returns the model. */
  async function play(concurrency: number, moves: readonly Move[]): Promise<Model> {
    const model = new Model(concurrency);
    const signal = new CancellationToken();
    const stop = new CancellationToken();
    const items = new Map<number, { end: (value: string) => void; fail: (error: unknown) => void }>();
    const reads: string[] = [];
    const work = (item: number, token: CancellationToken): Promise<string> =>
      new Promise((end, fail) => {
        items.set(item, { end, fail });
        token.onCancelled(fail);
      }).finally(() => items.delete(item)) as Promise<string>;
    let started = 0;
    const onProgress = ({ completedCount, runningCount }: MapProgress): void => {
      started = Math.max(started, completedCount + runningCount);
    };
    await scope(
      async (s) => {
        const results = s.mapUnordered([0, 1, 2], work, { concurrency, stopSignal: stop, onProgress });
        const read = async (): Promise<void> => {
          const index = reads.push('pending') - 1;
          reads[index] = await results.next().then(
            ({ done, value }) => (done === true ? 'done' : (value ?? '')),
            (error: unknown) => (error === failure ? 'fail' : String(error)),
          );
        };
        for (const move of moves) {
          const item = items.get(Number(move.split(' ')[1]));
          if (move === 'read') void read();
          else if (move === 'stop') stop.cancel();
          else if (move === 'cancel') signal.cancel('cancel');
          else if (move === 'leave') void results.return?.();
          else if (move.startsWith('end')) item?.end(`result ${move.slice(4)}`);
          else item?.fail(failure);
          model.apply(move);
          const seen = (): unknown => ({ reads, started, running: [...items.keys()] });
          const expected = { reads: model.reads, started: model.started, running: model.running };
          // The budget of the event loop delays a result, or the start of an item, by an iteration each. One more shows an excess.
          const isExpected = (): boolean => JSON.stringify(seen()) === JSON.stringify(expected);
          for (let turns = 0; turns < 4 && !isExpected(); turns++) await turn();
          await turn();
          expect(seen(), moves.join(', ')).toEqual(expected);
        }
        await results.return?.();
        expect([items.size, await results.next()]).toEqual([0, { done: true, value: undefined }]);
      },
      { signal },
    ).catch((error: unknown) => {
      // The reason of the scope, or the failure of an item that no read has received.
      const isUnread = moves.some((move) => move.startsWith('fail')) && !model.reads.includes('fail');
      if (error !== (isUnread ? failure : 'cancel')) throw error;
    });
    return model;
  }

  it.each([1, 2, 3])('gives what the documentation says, with %i items at once', async (concurrency) => {
    let paths = 0;
    const walk = async (moves: readonly Move[]): Promise<void> => {
      const model = new Model(concurrency);
      for (const move of moves) model.apply(move);
      if (model.moves.length > 0) for (const move of model.moves) await walk([...moves, move]);
      else paths += (await play(concurrency, moves)) === undefined ? 0 : 1;
    };
    await walk([]);
    expect(paths).toBeGreaterThan(100);
  });
});

describe('mapUnordered', () => {
  it('gives each result when its item ends, and never more than `concurrency` items run', async () => {
    const clock = new VirtualClock();
    let running = 0;
    let most = 0;
    const work = async (ms: number, token: CancellationToken, index: number): Promise<string> => {
      most = Math.max(most, ++running);
      await sleep(ms, { clock });
      running--;
      return `${index} at ${clock.now()} ${token.isCancelled}`;
    };
    const items = [30, 10, 20, 10];
    expect(await clock.run(() => scope((s) => readAll(s.mapUnordered(items, work, { concurrency: 2 }))))).toEqual([
      '1 at 10 false',
      '0 at 30 false',
      '2 at 30 false',
      '3 at 40 false',
    ]);
    expect(most).toBe(2);
    expect(await scope((s) => readAll(s.mapUnordered([], work)))).toEqual([]);
  });

  it('starts no further item while `concurrency` results are unread', async () => {
    const started: number[] = [];
    await scope(async (s) => {
      const results = s.mapUnordered([1, 2, 3, 4, 5, 6], async (n) => started.push(n), { concurrency: 2 });
      await turn();
      expect(started).toEqual([1, 2]);
      for await (const count of results) {
        await turn();
        expect(started).toHaveLength(Math.min(6, count + 2));
      }
    });
  });

  it('takes no item of an async iterable while `concurrency` results are unread', async () => {
    const [tx, rx] = channel<number>(8);
    for (const n of [1, 2, 3, 4]) tx.trySend(n);
    await scope(async (s) => {
      const results = s.mapUnordered(rx.values(), (n) => n, { concurrency: 2 });
      await turn();
      expect(rx.length).toBe(2);
      for await (const _ of results) break;
    });
    // The loop was left, so the receiver keeps its values, also later ones.
    await tx.send(5);
    expect(rx.length).toBe(3);
  });

  it('cancels and awaits the running items, and closes the iterator, when the loop is left by `break`', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    async function* items() {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        log.push('iterator closed');
      }
    }
    await clock.run(() =>
      scope(async (s) => {
        const work = async (n: number, token: CancellationToken): Promise<number> =>
          n === 0 ? n : obedient(clock, 10, () => log.push(`${n} stopped at ${clock.now()}`))(token);
        for await (const n of s.mapUnordered(items(), work, { concurrency: 3 })) {
          log.push(`result ${n}`);
          await turn();
          break;
        }
        log.push('loop left');
        expect(s.tree().children).toEqual([]);
      }),
    );
    expect(log).toEqual([
      ...['result 0', '1 stopped at 10', '2 stopped at 10', '3 stopped at 10', 'iterator closed', 'loop left'],
    ]);
  });

  it('keeps the error of a loop body, and awaits the running items before', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const run = scope(async (s) => {
      const work = async (n: number, token: CancellationToken): Promise<number> =>
        n === 0 ? n : obedient(clock, 10, () => log.push('stopped'))(token);
      try {
        for await (const _ of s.mapUnordered([0, 1], work)) throw failure;
      } catch (error) {
        log.push('caught');
        throw error;
      }
    });
    expect(await clock.run(() => rejection(run))).toBe(failure);
    expect(log).toEqual(['stopped', 'caught']);
  });

  it('gives the results that are there before a failure, which cancels and awaits the other items', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    const work = async (n: number, token: CancellationToken): Promise<number> => {
      if (n === 1) return failing(clock, 5, failure)();
      return n === 0 ? n : obedient(clock, 10, () => log.push(`stopped at ${clock.now()}`))(token);
    };
    await clock.run(() =>
      scope(async (s) => {
        const results = s.mapUnordered([0, 1, 2], work);
        await sleep(20, { clock });
        try {
          for await (const result of results) log.push(result);
        } catch (error) {
          log.push(error);
        }
      }),
    );
    expect(log).toEqual(['stopped at 15', 0, failure]);
  });

  it('throws several failures as a ScopeError', async () => {
    const other = new Error('other');
    const work = async (n: number, token: CancellationToken): Promise<never> => {
      if (n === 0) throw failure;
      await token.cancelled();
      throw other;
    };
    const run = scope((s) => readAll(s.mapUnordered([0, 1], work)));
    const error = await rejection(run);
    expect(error).toBeInstanceOf(ScopeError);
    expect((error as ScopeError).errors).toEqual([failure, other]);
  });

  it('lets the loop handle its failure, and the scope continues', async () => {
    const seen = await scope(async (s) => {
      const error = await rejection(readAll(s.mapUnordered([0], () => Promise.reject(failure))));
      return [error, s.token.isCancelled];
    });
    expect(seen).toEqual([failure, false]);
  });

  it('fails with the error of the iterator', async () => {
    function* items(): Generator<number> {
      yield 1;
      throw failure;
    }
    const results: number[] = [];
    const run = scope(async (s) => {
      for await (const n of s.mapUnordered(items(), (n) => n, { concurrency: 1 })) results.push(n);
    });
    expect([await rejection(run), results]).toEqual([failure, [1]]);
  });

  it.each([
    ['break', () => {}],
    [
      'throw',
      () => {
        throw new Error('the loop');
      },
    ],
  ])('leaves a failure that comes after `%s` to the scope', async (_, leave) => {
    const stubborn = async (n: number, token: CancellationToken): Promise<number> => {
      if (n === 0) return n;
      await token.cancelled();
      throw failure;
    };
    const run = scope(async (s) => {
      for await (const _ of s.mapUnordered([0, 1], stubborn)) {
        leave();
        break;
      }
    });
    const error = await rejection(run);
    expect(error instanceof ScopeError ? error.errors : [error]).toContain(failure);
  });

  it('leaves a failure that is not read to the scope', async () => {
    expect(await rejection(scope((s) => void s.mapUnordered([1], () => Promise.reject(failure))))).toBe(failure);
  });

  it('reports no failure while a `new Scope` has a slow reader', async () => {
    const errors = await uncaughtIn(async () => {
      await using s = new Scope();
      const results = s.mapUnordered([0, 1], (n) => (n === 0 ? n : Promise.reject(failure)));
      await turn();
      await turn();
      expect(await results.next()).toEqual({ done: false, value: 0 });
      await turn();
      await turn();
      expect(await rejection(results.next())).toBe(failure);
    });
    expect(errors).toEqual([]);
  });

  it('rejects with the reason when the scope is cancelled, after the results that are there', async () => {
    const signal = new CancellationToken();
    const results: unknown[] = [];
    const work = async (n: number, token: CancellationToken): Promise<number> => {
      if (n < 2) return n;
      await token.cancelled();
      throw token.reason;
    };
    const run = scope(
      async (s) => {
        const items = s.mapUnordered([0, 1, 2], work);
        await turn();
        signal.cancel('deploy');
        await turn();
        for await (const result of items) results.push(result);
      },
      { signal },
    );
    expect([await rejection(run), results]).toEqual(['deploy', [0, 1]]);
  });

  it('ends at `stopSignal`, after the results of the running items', async () => {
    const clock = new VirtualClock();
    const stop = new CancellationToken();
    const results: number[] = [];
    await clock.run(() =>
      scope(async (s) => {
        const work = (ms: number): Promise<number> => sleep(ms, { clock }).then(() => ms);
        for await (const ms of s.mapUnordered([10, 30, 20, 5], work, { concurrency: 2, stopSignal: stop })) {
          results.push(ms);
          stop.cancel();
        }
      }),
    );
    // The third item had started when the first result was read.
    expect(results).toEqual([10, 30, 20]);
  });

  it('cancels its items at the end of the scope when no code reads their results', async () => {
    let reason: unknown;
    const results = await scope((s) => {
      const results = s.mapUnordered([0, 1], async (_, token) => {
        await token.cancelled();
        reason = token.reason;
        throw reason;
      });
      return { results };
    });
    expect(isCancelledError(reason)).toBe(true);
    expect(await rejection(results.results.next())).toBe(reason);
    expect(await results.results.next()).toEqual({ done: true, value: undefined });
  });

  it('throws a ClosedError after the end of its scope', async () => {
    const s = await scope((s) => ({ s }));
    let error: unknown;
    try {
      s.s.mapUnordered([1], () => {});
    } catch (thrown) {
      error = thrown;
    }
    expect([isClosedError(error), String(error)]).toEqual([true, expect.stringContaining('mapUnordered')]);
  });

  it('gives its reads in the order of the calls, and ends all of them', async () => {
    await scope(async (s) => {
      const results = s.mapUnordered(['a', 'b'], async (word) => word);
      const reads = await Promise.all([results.next(), results.next(), results.next(), results.next()]);
      expect(reads.map(({ value }) => value)).toEqual(['a', 'b', undefined, undefined]);
    });
  });

  it('ends a pending read that is left, and `throw` leaves the loop, too', async () => {
    await scope(async (s) => {
      for (const leave of ['return', 'throw'] as const) {
        const results = s.mapUnordered([0], (_, token) => token.cancelled());
        const reading = results.next();
        const left = leave === 'return' ? results.return?.() : results.throw?.(failure);
        expect(await reading).toEqual({ done: true, value: undefined });
        if (leave === 'return') expect(await left).toEqual({ done: true, value: undefined });
        else expect(await rejection(left as Promise<never>)).toBe(failure);
      }
    });
  });

  it('works with `await using`', async () => {
    let isCancelled = false;
    await scope(async (s) => {
      {
        await using results = s.mapUnordered([0, 1], async (n, token) => {
          if (n === 0) return n;
          await token.cancelled();
          isCancelled = true;
          throw token.reason;
        });
        await results.next();
      }
      expect(isCancelled).toBe(true);
    });
  });

  it('cancels an item at its `timeout`, which does not count while a result is unread', async () => {
    const clock = new VirtualClock();
    await clock.run(() =>
      scope(
        async (s) => {
          const work = async (n: number, token: CancellationToken): Promise<number> => {
            if (n === 0) return n;
            await token.cancelled();
            throw token.reason;
          };
          const results = s.mapUnordered([0, 1], work, { timeout: 5, concurrency: 1 });
          await sleep(50, { clock });
          expect(await results.next()).toEqual({ done: false, value: 0 });
          expect(await rejection(results.next())).toBeInstanceOf(TimeoutError);
          expect(clock.now()).toBe(55);
        },
        { clock },
      ),
    );
    expect(clock.pendingCount).toBe(0);
  });

  it('counts an item as done when it has ended, also while its result is unread', async () => {
    const seen: MapProgress[] = [];
    await scope(async (s) => {
      const results = s.mapUnordered(['a', 'b'], async () => {}, {
        concurrency: 1,
        onProgress: (progress) => void seen.push(progress),
      });
      await turn();
      expect(seen.at(-1)).toEqual({ completedCount: 1, runningCount: 0, totalCount: 2 });
      await readAll(results);
      expect(seen.at(-1)).toEqual({ completedCount: 2, runningCount: 0, totalCount: 2 });
    });
  });

  it('is one task in the tree, with the line of its call', async () => {
    await scope(
      async (s) => {
        const results = s.mapUnordered([0], (_, token) => token.cancelled(), { name: 'import' });
        const [task] = s.tree().children;
        expect([task?.name, task?.site]).toEqual(['import', expect.stringContaining('map-unordered.test')]);
        await results.return?.();
      },
      { spawnSites: true },
    );
  });

  it('causes no unhandled rejection when it is left with a failure', async () => {
    const errors = await unhandledIn(() =>
      scope(async (s) => {
        const results = s.mapUnordered([0, 1], (n) => (n === 0 ? n : Promise.reject(failure)));
        await results.next();
        await results.return?.();
      }).catch(() => {}),
    );
    expect(errors).toEqual([]);
  });
});
