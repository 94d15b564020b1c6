import type { CancellationToken } from '@quiesce/cancellation-token';
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { sleep } from '@quiesce/select';
import { HookError, type HookOptions, Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, start, thrown, turn } from './vocabulary.ts';

/** Registers hooks that log their names, and returns the order in which they ran. */
async function order(...hooks: [name: string, options?: HookOptions][]): Promise<string[]> {
  const { shutdown, end } = start();
  const ran: string[] = [];
  for (const [name, options] of hooks) shutdown.hook(name, () => void ran.push(name), options);
  shutdown.request();
  await end();
  return ran;
}

describe('the order of hooks', () => {
  it('is last in, first out', async () => {
    expect(await order(['db'], ['cache'], ['server'])).toEqual(['server', 'cache', 'db']);
  });

  it('is by priority, higher first', async () => {
    const hooks = order(
      ['low', { priority: -1 }],
      ['b'],
      ['high', { priority: 10 }],
      ['a'],
      ['fraction', { priority: 0.5 }],
    );
    expect(await hooks).toEqual(['high', 'fraction', 'a', 'b', 'low']);
  });

  it('has the hooks named in `after` first, whatever the priorities', async () => {
    expect(await order(['flush'], ['close', { after: ['flush'], priority: 100 }])).toEqual(['flush', 'close']);
    expect(await order(['a'], ['b', { after: ['a'] }], ['c', { after: ['a', 'b'], priority: 5 }], ['d'])).toEqual([
      ...['d', 'a', 'b', 'c'],
    ]);
  });

  it('is by phase first', async () => {
    const hooks = order(
      ['telemetry', { phase: 'final', priority: 9 }],
      ['db', { priority: 5 }],
      ['jobs', { phase: 'draining' }],
      ['registry', { phase: 'stopping', priority: -5 }],
    );
    expect(await hooks).toEqual(['registry', 'jobs', 'db', 'telemetry']);
  });

  it('runs them one at a time', async () => {
    const { shutdown, log, busy, end } = start();
    shutdown.hook('db', busy('db', 10));
    shutdown.hook('cache', busy('cache', 5));
    shutdown.request();
    await end();
    expect(log).toEqual(['0 cache begins', '5 cache ends', '5 db begins', '15 db ends']);
  });

  it('treats a hook of an earlier phase in `after` as done', async () => {
    expect(await order(['registry', { phase: 'stopping' }], ['db', { after: ['registry'] }])).toEqual([
      'registry',
      'db',
    ]);
  });

  it('ignores a name in `after` whose hook was removed', async () => {
    const { shutdown, log, say, end } = start();
    const flush = shutdown.hook('flush', () => say('flush'));
    shutdown.hook('close', () => say('close'), { after: ['flush'] });
    expect(flush.dispose()).toBe(true);
    shutdown.request();
    await end();
    expect(log).toEqual(['0 close']);
  });
});

describe('a hook is refused', () => {
  const make = (): Shutdown => {
    const shutdown = new Shutdown();
    shutdown.hook('db', () => {});
    return shutdown;
  };

  it.each([
    ['taken', 'db', {}],
    ['unknown', 'http', { after: ['databse'] }],
    ['cycle', 'http', { after: ['http'] }],
    ['phase', 'registry', { after: ['db'], phase: 'stopping' }],
  ] as const)('as %s, by name, and is not registered', (why, name, options) => {
    const shutdown = make();
    const error = thrown(() => shutdown.hook(name, () => {}, options));
    expect(error).toBeInstanceOf(HookError);
    expect(error).toMatchObject({ name: 'HookError', code: 'ERR_HOOK', why, hook: name });
    expect(shutdown.report().hooks.map((hook) => hook.name)).toEqual(['db']);
  });

  it('when a name that was used again closes a cycle', () => {
    const shutdown = make();
    shutdown.hook('b', () => {}, { after: ['db'] });
    shutdown.hook('c', () => {}, { after: ['b'] });
    shutdown.report();
    const again = new Shutdown();
    const a = again.hook('a', () => {});
    again.hook('b', () => {}, { after: ['a'] });
    again.hook('c', () => {}, { after: ['b'] });
    a.dispose();
    expect(thrown(() => again.hook('a', () => {}, { after: ['c'] }))).toMatchObject({ why: 'cycle' });
    again.hook('a', () => {});
  });

  it.each([
    ['a name', () => make().hook('', () => {}), TypeError],
    ['a name', () => make().hook(1 as never, () => {}), TypeError],
    ['a function', () => make().hook('x', Promise.resolve() as never), TypeError],
    ['a phase', () => make().hook('x', () => {}, { phase: 'running' as never }), TypeError],
    ['a priority', () => make().hook('x', () => {}, { priority: Number.NaN }), RangeError],
    ['a priority', () => make().hook('x', () => {}, { priority: '1' as never }), TypeError],
    ['a timeout', () => make().hook('x', () => {}, { timeout: -1 }), RangeError],
    ['a list', () => make().hook('x', () => {}, { after: 'db' as never }), TypeError],
    ['a list of names', () => make().hook('x', () => {}, { after: ['db', Symbol('x')] as never }), TypeError],
    ['a phase', () => make().hook('x', () => {}, { phase: Symbol('x') as never }), TypeError],
    ['a priority', () => make().hook('x', () => {}, { priority: Object.create(null) }), TypeError],
    ['a timeout', () => make().hook('x', () => {}, { timeout: Number.NaN }), RangeError],
    ['a timeout', () => make().hook('x', () => {}, { timeout: null as never }), TypeError],
  ])('when an argument is not %s', (_, register, type) => {
    expect(thrown(register)).toBeInstanceOf(type);
  });

  it('when its phase is over', async () => {
    const { shutdown, clock, busy, end } = start();
    shutdown.hook('db', busy('db', 10));
    shutdown.request();
    await clock.advance(5);
    expect(thrown(() => shutdown.hook('registry', () => {}, { phase: 'stopping' }))).toMatchObject({
      code: 'ERR_CLOSED',
    });
    await end();
    expect(thrown(() => shutdown.hook('x', () => {}, { phase: 'final' }))).toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('a hook that is registered during the shutdown', () => {
  it.each(['stopping', 'draining', 'cleanup', 'final'] as const)(
    'runs in its phase %s, also when that phase has begun',
    async (phase) => {
      const { shutdown, log, say, clock, end } = start({ readinessDelay: 10 });
      shutdown.hook(
        'first',
        async () => {
          await sleep(3, { clock });
          shutdown.hook('second', () => say('second'), { phase });
        },
        { phase },
      );
      shutdown.request();
      const report = await end();
      expect(log).toHaveLength(1);
      expect(report.hooks.map(({ name, outcome }) => [name, outcome])).toContainEqual(['second', 'done']);
    },
  );

  it('runs also while the shutdown waits for the readiness delay, or for work in flight', async () => {
    const { shutdown, log, say, clock, end } = start({ readinessDelay: 10 });
    const guard = shutdown.guard('work');
    shutdown.request();
    await clock.advance(5);
    shutdown.hook('a', () => say('stopping'), { phase: 'stopping' });
    // Never within the call.
    expect(log).toEqual([]);
    await clock.advance(10);
    shutdown.hook('b', () => say('draining'), { phase: 'draining' });
    expect(log).toEqual(['5 stopping']);
    await clock.advance(5);
    guard.dispose();
    await end();
    expect(log).toEqual(['5 stopping', '15 draining']);
  });

  it('can be removed until it runs, also with `using`', async () => {
    const { shutdown, log, say, end } = start();
    const early = shutdown.hook('early', () => say('early'));
    {
      using _ = shutdown.hook('block', () => say('block'));
    }
    const ran = shutdown.hook('last', () => void say(`last ${early.dispose()} ${ran.dispose()}`));
    shutdown.request();
    await end();
    expect(log).toEqual(['0 last true false']);
    expect(early.dispose()).toBe(false);
  });
});

describe('a hook that', () => {
  it('throws or rejects is recorded, and the next hook runs', async () => {
    const { shutdown, log, say, end } = start();
    const error = new Error('disk full');
    shutdown.hook('last', () => say('last'));
    shutdown.hook('rejects', () => Promise.reject(error));
    shutdown.hook('throws', () => {
      throw error;
    });
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['0 last']);
    expect(report.hooks).toMatchObject([
      { name: 'last', outcome: 'done' },
      { name: 'rejects', outcome: 'failed', error },
      { name: 'throws', outcome: 'failed', error },
    ]);
    expect(report.exitCode).toBe(1);
  });

  it('hangs is given up at its timeout: its token is cancelled, and the next hook runs', async () => {
    const { shutdown, clock, log, say, end } = start({ hookTimeout: 50 });
    let token: CancellationToken | undefined;
    shutdown.hook('last', () => say('last'));
    shutdown.hook('own', deaf, { timeout: 10 });
    shutdown.hook('hangs', (given) => {
      token = given;
      expect(given.deadline).toEqual(new Date(clock.wall() + 50));
      return deaf();
    });
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['60 last']);
    expect(report.hooks).toMatchObject([
      { name: 'hangs', outcome: 'timed out', durationMs: 50 },
      { name: 'own', outcome: 'timed out', durationMs: 10 },
      { name: 'last', outcome: 'done' },
    ]);
    expect(token?.reason).toMatchObject({ name: 'TimeoutError', ms: 50 });
    expect([report.exitCode, clock.pendingCount]).toEqual([1, 0]);
  });

  it('is given up finds its token cancelled at any later time, whatever the clock says', async () => {
    const { shutdown, clock, end } = start({ hookTimeout: 50 });
    // Timers of the platform may also fire a little early.
    const setTimer = clock.setTimer.bind(clock);
    clock.setTimer = (ms, fn, options) => setTimer(Math.max(0, ms - 1), fn, options);
    const tokens: CancellationToken[] = [];
    const hang = (token: CancellationToken): Promise<never> => {
      tokens.push(token);
      return deaf();
    };
    shutdown.hook('looks', hang);
    shutdown.hook('cleanup', hang, { timeout: 10 });
    shutdown.hook('draining', hang, { phase: 'draining', timeout: 10 });
    shutdown.request();
    await end();
    expect(tokens.map(({ isCancelled, reason }) => [isCancelled, (reason as { ms?: number }).ms])).toEqual([
      ...[
        [true, 10],
        [true, 10],
        [true, 50],
      ],
    ]);
  });

  it('has ended keeps an uncancelled token: the shutdown does not cancel work that it left running', async () => {
    const { shutdown, clock, end } = start({ hookTimeout: 50 });
    let token: CancellationToken | undefined;
    shutdown.hook('quick', (given) => {
      token = given;
    });
    shutdown.request();
    await end();
    await clock.advance(100);
    expect(token?.isCancelled).toBe(false);
  });

  it('ends because of its token has timed out, and not failed', async () => {
    const { shutdown, end } = start({ hookTimeout: 50 });
    shutdown.hook('obedient', obedient);
    shutdown.request();
    expect((await end()).hooks).toMatchObject([{ outcome: 'timed out' }]);
  });

  it('rejects with an unrelated AbortError has failed', async () => {
    const { shutdown, end } = start();
    shutdown.hook('aborts', () => Promise.reject(new DOMException('mine', 'AbortError')));
    shutdown.request();
    expect((await end()).hooks).toMatchObject([{ outcome: 'failed' }]);
  });

  it('cancels the tokens of the shutdown changes no outcome', async () => {
    const { shutdown, log, say, end } = start();
    shutdown.hook('last', () => say('last'));
    shutdown.hook('cancels', () => {
      shutdown.stopNow.cancel('mine');
      shutdown.stopAccepting.cancel('mine');
    });
    shutdown.request('first');
    expect((await end()).exitCode).toBe(0);
    expect(log).toEqual(['0 last']);
    expect(shutdown.stopNow.reason).toBe('first');
  });

  it('requests the shutdown again gets false, and a hook that awaits the end times out', async () => {
    const { shutdown, log, say, end } = start({ hookTimeout: 20 });
    shutdown.hook('last', () => say('last'));
    shutdown.hook('snake', () => shutdown.stopped());
    shutdown.hook('asks', () => say(String(shutdown.request('again'))));
    shutdown.request('first');
    const report = await end();
    expect(log).toEqual(['0 false', '20 last']);
    expect(report.hooks[0]).toMatchObject({ name: 'snake', outcome: 'timed out' });
  });

  it('starts another shutdown waits for that shutdown', async () => {
    const { shutdown, clock, log, busy, end } = start();
    const inner = new Shutdown({ clock });
    inner.hook('inner', busy('inner', 10));
    shutdown.hook('outer', async () => {
      inner.request();
      await inner.stopped();
    });
    shutdown.request();
    expect((await end()).durationMs).toBe(10);
    expect(log).toEqual(['0 inner begins', '10 inner ends']);
  });

  it('fails after it was given up is in the report, and after the end its error goes to the uncaught handler', async () => {
    const { shutdown, clock, busy, end } = start({ hookTimeout: 10 });
    const failLater = (ms: number) => async () => {
      await sleep(ms, { clock });
      throw new Error(`late after ${ms}`);
    };
    shutdown.hook('last', busy('last', 9));
    shutdown.hook('later', failLater(1_000));
    shutdown.hook('late', failLater(15));
    shutdown.request();
    const report = await end();
    expect(report.errors).toMatchObject([
      { where: 'hook "late", after it was given up', error: { message: 'late after 15' } },
    ]);
    const caught: unknown[] = [];
    const before = setUncaughtHandler((error) => caught.push(error));
    await clock.advance(2_000);
    await turn();
    setUncaughtHandler(before);
    expect(caught).toMatchObject([{ cause: { message: 'late after 1000' } }]);
  });

  it('ends because of its token after it was given up has not failed', async () => {
    const { shutdown, clock, busy, end } = start({ hookTimeout: 10 });
    shutdown.hook('last', busy('last', 9));
    shutdown.hook('obeys late', async (token) => {
      await sleep(15, { clock });
      token.throwIfCancelled();
    });
    shutdown.request();
    const report = await end();
    expect(report.hooks[0]).toMatchObject({ name: 'obeys late', outcome: 'timed out' });
    expect(report.errors).toEqual([]);
  });

  it('blocks the event loop beyond finalTimeout does not prevent the later `final` hooks: each is called', async () => {
    const { shutdown, clock, log, say, end } = start({ finalTimeout: 20 });
    const now = clock.now.bind(clock);
    let blocked = 0;
    clock.now = () => now() + blocked;
    shutdown.hook('last', () => say('last'), { phase: 'final' });
    shutdown.hook('hangs', deaf, { phase: 'final' });
    const blocks = (): void => {
      blocked = 100;
    };
    shutdown.hook('blocks', blocks, { phase: 'final' });
    shutdown.request();
    const { hooks } = await end();
    expect(log).toEqual(['100 last']);
    expect(hooks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['blocks', 'done'],
      ['last', 'done'],
      ['hangs', 'timed out'],
    ]);
  });

  it('blocks the event loop beyond its timeout is done', async () => {
    const { shutdown, end } = start({ hookTimeout: 10 });
    shutdown.hook('sync', () => 1);
    // biome-ignore lint/suspicious/noThenProperty: a hook may return any thenable
    shutdown.hook('thenable', () => ({ then: (done: () => void) => done() }));
    shutdown.request();
    expect((await end()).hooks.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
  });

  it('drains is cancelled at drainTimeout, together with the work in flight', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 20 });
    shutdown.hook('deaf', deaf, { phase: 'draining' });
    shutdown.hook(
      'jobs',
      async (token) => {
        await token.cancelled();
        say('cancelled');
      },
      { phase: 'draining' },
    );
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['100 cancelled', '120 db']);
    expect(report.hooks).toMatchObject([{ name: 'jobs' }, { name: 'deaf', outcome: 'timed out', durationMs: 20 }, {}]);
    expect(clock.pendingCount).toBe(0);
  });
});
