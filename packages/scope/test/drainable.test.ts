import { CancellationToken } from '@quiesce/cancellation-token';
import { type DrainableOptions, drainable } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, unhandledIn } from './vocabulary.ts';

const never = CancellationToken.never;
const failure = new Error('connection lost');

/** A drainable that logs the calls of its functions. */
function logged(more: Partial<DrainableOptions> = {}) {
  const log: unknown[] = [];
  const part = drainable({
    name: 'mails',
    inFlightCount: () => 2,
    announce: () => void log.push('announce'),
    stop: () => void log.push('stop'),
    drain: async (token) => void log.push('drain', token),
    abort: (reason) => void log.push('abort', reason),
    ...more,
  });
  return { part, log };
}

/** The error that `work` throws. */
function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('drainable', () => {
  it('has the members of its functions, and no others', () => {
    const all = logged({ inFlightNames: () => ['a', 'b'], isAccepting: () => true }).part;
    expect([all.name, all.inFlightCount, all.inFlightNames, all.isAccepting]).toEqual(['mails', 2, ['a', 'b'], true]);
    const few = drainable({ name: 'mails', inFlightCount: () => 0, stop: () => {}, drain: async () => {} });
    expect(Object.keys(few).sort()).toEqual(['drain', 'inFlightCount', 'name', 'stop']);
  });

  it('reads the number, the names and the state anew each time', () => {
    const jobs: string[] = [];
    const { part } = logged({
      inFlightCount: () => jobs.length,
      inFlightNames: () => jobs,
      isAccepting: () => jobs.length === 0,
    });
    expect([part.inFlightCount, part.isAccepting]).toEqual([0, true]);
    jobs.push('job 1');
    expect([part.inFlightCount, part.inFlightNames, part.isAccepting]).toEqual([1, ['job 1'], false]);
  });

  it('calls `announce`, `stop` and `abort` once each, also when the call throws', () => {
    const { part, log } = logged();
    for (const _ of [1, 2]) {
      part.announce?.();
      part.stop();
      part.abort?.('late');
    }
    expect(log).toEqual(['announce', 'stop', 'abort', 'late']);
    let calls = 0;
    const throwing = logged({
      stop: () => {
        calls++;
        throw failure;
      },
    }).part;
    expect(thrown(() => throwing.stop())).toBe(failure);
    throwing.stop();
    expect(calls).toBe(1);
  });

  it('does nothing in a `stop` that its own function calls', () => {
    let calls = 0;
    const { part } = logged({
      stop: () => {
        calls++;
        part.stop();
      },
    });
    part.stop();
    expect(calls).toBe(1);
  });

  it('drains once, and returns the promise of the first call', async () => {
    const { work, fulfil } = deaf();
    let calls = 0;
    const { part } = logged({
      drain: () => {
        calls++;
        return work();
      },
    });
    const first = part.drain(never);
    expect(part.drain(CancellationToken.alreadyCancelled())).toBe(first);
    fulfil();
    expect(await first).toBeUndefined();
    expect([part.drain(never) === first, calls]).toEqual([true, 1]);
  });

  it('passes a token to `drain`, also of an AbortSignal', async () => {
    const controller = new AbortController();
    const { part } = logged({ drain: (token) => token.runUntilCancelled(new Promise(() => {})) });
    const { part: other } = logged({
      drain: async (token) => {
        await token.cancelled();
        throw token.reason;
      },
    });
    const [ending, failing] = [part.drain(controller.signal), rejection(other.drain(controller.signal))];
    controller.abort('deploy');
    expect([await ending, await failing]).toEqual([undefined, 'deploy']);
  });

  it('drains after a call with a wrong signal', async () => {
    const { part, log } = logged();
    expect(await rejection(part.drain(5_000 as never))).toBeInstanceOf(TypeError);
    await part.drain(never);
    expect(log).toEqual(['drain', never]);
  });

  it.each([
    ['rejects', () => Promise.reject(failure)],
    [
      'throws',
      () => {
        throw failure;
      },
    ],
  ])('rejects with the error of a `drain` that %s', async (_, drain) => {
    expect(await rejection(logged({ drain }).part.drain(never))).toBe(failure);
  });
});

describe('the checks of drainable', () => {
  const given = { name: 'mails', inFlightCount: () => 0, stop: () => {}, drain: async () => {} };

  it.each([
    ['name', 'drainable: name: expected a name that is not empty, got undefined'],
    ['inFlightCount', 'drainable: inFlightCount: expected a function, got undefined'],
    ['stop', 'drainable: stop: expected a function, got undefined'],
    ['drain', 'drainable: drain: expected a function, got undefined'],
  ])('refuse a drainable without `%s` at the call', (option, message) => {
    const { [option as keyof typeof given]: _, ...others } = given;
    expect(thrown(() => drainable(others as never))).toMatchObject({ name: 'TypeError', message });
  });

  it('name the number that takes the place of its function', () => {
    expect(thrown(() => drainable({ ...given, inFlightCount: 0 as never }))).toMatchObject({
      message: 'drainable: inFlightCount: expected a function, got the number 0',
    });
  });

  it('refuse an unknown option, and name the similar one', () => {
    expect(thrown(() => drainable({ ...given, inFlight: () => 0 } as never))).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/^drainable: there is no option "inFlight"; did you mean "inFlightCount"\?$/),
    });
  });

  it.each([
    [
      { inFlightCount: () => '2' },
      'TypeError',
      'inFlightCount must be an integer from 0 to 2^53-1, got the string "2"',
    ],
    [{ inFlightCount: () => -1 }, 'RangeError', 'inFlightCount must be an integer from 0 to 2^53-1, got the number -1'],
    [{ inFlightNames: () => 'a, b' }, 'TypeError', 'inFlightNames: expected a list of strings, got the string "a, b"'],
    [{ inFlightNames: () => [1] }, 'TypeError', 'inFlightNames: expected a list of strings, got an array'],
    [{ isAccepting: () => 1 }, 'TypeError', 'isAccepting: expected true or false, got the number 1'],
  ])('throw for a wrong value where it is read: %o', (wrong, name, text) => {
    const part = drainable({ ...given, ...wrong } as never);
    expect(thrown(() => part[Object.keys(wrong)[0] as 'inFlightCount'])).toMatchObject({
      name,
      message: `drainable "mails": ${text}`,
    });
  });

  it.each(['announce', 'stop', 'abort'] as const)(
    'refuse a promise from `%s`, whose rejection is handled',
    async (call) => {
      const part = drainable({ ...given, [call]: () => Promise.reject(failure) });
      const unhandled = await unhandledIn(() => {
        expect(thrown(() => part[call]?.(undefined))).toMatchObject({
          name: 'TypeError',
          message: `drainable "mails": ${call}: expected no promise, got a Promise; await it in drain`,
        });
      });
      expect(unhandled).toEqual([]);
    },
  );

  it('refuse a `drain` that returns no promise', async () => {
    const { part } = logged({ drain: (() => {}) as never });
    expect(await rejection(part.drain(never))).toMatchObject({
      name: 'TypeError',
      message: 'drainable "mails": drain: expected a promise, got undefined; make the function async',
    });
  });

  it('let `drain` reject when the number is wrong, after the work has ended', async () => {
    const { work, fulfil } = deaf();
    const { part } = logged({ drain: work, inFlightCount: () => Number.NaN });
    const draining = rejection(part.drain(never));
    fulfil();
    expect(await draining).toMatchObject({
      name: 'RangeError',
      message: expect.stringMatching(/^drainable "mails": /),
    });
  });
});
