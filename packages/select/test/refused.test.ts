import type { CancellationToken } from '@quiesce/cancellation-token';
import { SelectError, select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { Probe, rejection, turn } from './vocabulary.ts';

/** Branches that must not be touched, since the select is wrong elsewhere. */
function untouched() {
  const probe = new Probe(1);
  let started = 0;
  return {
    branches: { probe, work: () => started++ },
    expectUntouched(): void {
      expect({ polls: probe.polls, parks: probe.parks, started, values: probe.values }).toEqual({
        polls: 0,
        parks: 0,
        started: 0,
        values: [1],
      });
    },
  };
}

describe('select rejects, before any branch is polled or started,', () => {
  it.each([
    ['a number', 5, 'the number 5'],
    ['true', true, 'the boolean true'],
    ['a string', 'job', 'the string "job"'],
    ['a symbol', Symbol('job'), 'the symbol Symbol(job)'],
    ['a plain object', {}, 'an object'],
    ['an AbortController', new AbortController(), 'an AbortController'],
    ['an array', [Promise.resolve()], 'an array'],
  ])('%s as a branch, whatever the branches before it', async (_, wrong, shown) => {
    const { branches, expectUntouched } = untouched();
    for (const [call, run] of Object.entries({ select, 'select.biased': select.biased })) {
      const error = await rejection(run({ ...branches, wrong: wrong as never }));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(`${call}: branch "wrong" is ${shown}; `);
    }
    expectUntouched();
  });

  it('an empty object, and an object whose branches are all off', async () => {
    expect(await rejection(select({}))).toBeInstanceOf(SelectError);
    expect(await rejection(select.biased({}))).toBeInstanceOf(SelectError);
    expect(await rejection(select({ a: false }))).toBeInstanceOf(SelectError);
  });

  it('a value that is no object', async () => {
    for (const wrong of [undefined, null, 5, 'job', () => {}]) {
      const error = await rejection(select(wrong as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain('expected an object of branches by name');
    }
  });

  it.each(['0', '42', '-1', '1.5', '4294967296'])('the name %s, which is a number', async (name) => {
    const { branches, expectUntouched } = untouched();
    for (const run of [select, select.biased]) {
      const error = await rejection(run({ ...branches, [name]: new Probe(1) } as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(`name "${name}" is a number`);
    }
    expectUntouched();
  });

  it('an array, whose names are numbers', async () => {
    expect(await rejection(select([Promise.resolve()] as never))).toMatchObject({ name: 'TypeError' });
  });

  it('but no name that is merely unusual', async () => {
    for (const name of [
      '',
      ' ',
      '01',
      '1a',
      '$',
      '-',
      'then',
      'branch',
      'late',
      '__proto__',
      'constructor',
      'toString',
    ]) {
      const branches = Object.defineProperty({}, name, { value: new Probe(name), enumerable: true });
      expect(await select(branches as { a: Probe<string> })).toEqual({ branch: name, value: name });
    }
  });

  it.each([1, -0.1, 2, Number.NaN, Number.POSITIVE_INFINITY, '1'])(
    'a random function that returns %s',
    async (number) => {
      const { branches, expectUntouched } = untouched();
      const error = await rejection(select(branches, { random: () => number as number }));
      expect(error).toBeInstanceOf(RangeError);
      expect((error as Error).message).toContain('random must return a number from 0 to below 1');
      expectUntouched();
    },
  );

  it('a random source that throws, with its error', async () => {
    const { branches, expectUntouched } = untouched();
    const error = new Error('no entropy');
    const random = (): never => {
      throw error;
    };
    expect(await rejection(select(branches, { random }))).toBe(error);
    expectUntouched();
  });

  it('a wrong signal', async () => {
    const { branches, expectUntouched } = untouched();
    for (const signal of [new AbortController(), {}, 5, null]) {
      expect(await rejection(select(branches, { signal: signal as never }))).toBeInstanceOf(TypeError);
    }
    expectUntouched();
  });
});

describe('a random function that fails later', () => {
  it('rejects the select, which cleans up, and never throws into the code that woke it', async () => {
    const starts = [0, 7];
    const probe = new Probe<number>();
    let token: CancellationToken | undefined;
    const work = async (given: CancellationToken): Promise<never> => {
      token = given;
      await given.cancelled();
      throw given.reason;
    };
    const outcome = select({ probe, work }, { random: () => starts.shift() ?? 0 });
    await turn();
    expect(() => probe.push(1)).not.toThrow();
    expect(await rejection(outcome)).toBeInstanceOf(RangeError);
    expect(token?.isCancelled).toBe(true);
    expect(probe.values).toEqual([1]);
    expect(probe.waiters.size).toBe(0);
  });
});
