import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { branchOf, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, never, Probe, rejection, turn } from './vocabulary.ts';

describe('a select whose signal is cancelled', () => {
  it.each([
    ['a token', cancelled('why')],
    ['an AbortSignal', AbortSignal.abort('why')],
  ])('before it begins polls and starts nothing, even if a branch is ready: %s', async (_, signal) => {
    const probe = new Probe(1);
    let started = false;
    const work = (): void => {
      started = true;
    };
    expect(await rejection(select({ probe, work }, { signal }))).toBe('why');
    expect(await rejection(select.biased({ work, probe }, { signal }))).toBe('why');
    expect([probe.polls, probe.parks, started]).toEqual([0, 0, false]);
  });

  it('before it begins does not take else either', async () => {
    let called = false;
    const otherwise = () => (called = true);
    expect(await rejection(select({ a: false, else: otherwise }, { signal: cancelled('why') }))).toBe('why');
    expect(called).toBe(false);
  });

  it.each(['token', 'signal'] as const)('during the wait rejects with the reason, verbatim: %s', async (kind) => {
    const outer = new CancellationToken();
    const controller = new AbortController();
    const probe = new Probe<number>();
    const reason = { why: 'deploy' };
    const outcome = select({ probe }, { signal: kind === 'token' ? outer : controller.signal });
    await turn();
    outer.cancel(reason);
    controller.abort(reason);
    expect(await rejection(outcome)).toBe(reason);
    expect(branchOf(reason)).toBe(undefined);
    probe.push(1);
    expect(probe.values).toEqual([1]);
    expect(probe.waiters.size).toBe(0);
  });

  it('during the wait cancels its functions with the same reason, and awaits them', async () => {
    const clock = new VirtualClock();
    const outer = new CancellationToken();
    const reasons: unknown[] = [];
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      reasons.push(token.reason);
      await sleep(20, { clock });
      throw token.reason;
    };
    const done = clock.run(() => {
      void sleep(5, { clock }).then(() => outer.cancel('stop'));
      return select({ a: work, b: work, waits: never() }, { signal: outer });
    });
    expect(await rejection(done)).toBe('stop');
    expect(reasons).toEqual(['stop', 'stop']);
    expect(clock.now()).toBe(25);
  });

  it('rejects even if a branch becomes ready in the same step', async () => {
    const outer = new CancellationToken();
    const outcome = select.biased({ child: outer.childToken() }, { signal: outer });
    outer.cancel('both');
    expect(await rejection(outcome)).toBe('both');
  });

  it('after a branch was taken settles unchanged, even while losers are awaited', async () => {
    const outer = new CancellationToken();
    const probe = new Probe<string>();
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      await turn();
      outer.cancel('too late');
      await turn();
      throw token.reason;
    };
    const outcome = select({ probe, work }, { signal: outer });
    probe.push('taken');
    expect(await outcome).toEqual({ branch: 'probe', value: 'taken' });
    expect(outer.isCancelled).toBe(true);
  });

  it('keeps a branch that was taken before in the same step, and takes none that becomes ready after', async () => {
    const outer = new CancellationToken();
    const probe = new Probe<string>();
    const taken = select({ probe }, { signal: outer });
    probe.push('taken');
    outer.cancel('a moment too late');
    expect(await taken).toEqual({ branch: 'probe', value: 'taken' });
    const other = new CancellationToken();
    const cancelledFirst = select({ probe }, { signal: other });
    other.cancel('first');
    probe.push('kept');
    expect(await rejection(cancelledFirst)).toBe('first');
    expect(probe.values).toEqual(['kept']);
  });

  it("does not begin when a token's signal is marked and has not fired yet", async () => {
    const token = new CancellationToken();
    const probe = new Probe(1);
    let inside: Promise<unknown> | undefined;
    token.onCancelled(() => {
      inside = select({ probe }, { signal: token.signal });
      inside.catch(() => {});
    });
    expect(token.signal.aborted).toBe(false);
    token.cancel('marked');
    expect(inside && (await rejection(inside))).toBe('marked');
    expect(probe.polls).toBe(0);
  });
});

describe('a signal that is not cancelled', () => {
  it('has no listener left when the select has settled, whichever branch won', async () => {
    const { signal } = new AbortController();
    const other = new AbortController().signal;
    for (const make of [() => turn(), () => () => turn(), () => turn().then(() => Promise.reject(1))]) {
      const outcome = select({ done: make(), other }, { signal });
      expect([getEventListeners(signal, 'abort').length, getEventListeners(other, 'abort').length]).toEqual([1, 1]);
      await outcome.catch(() => {});
      expect([getEventListeners(signal, 'abort').length, getEventListeners(other, 'abort').length]).toEqual([0, 0]);
    }
  });

  it('has one listener for a thousand selects', async () => {
    const { signal } = new AbortController();
    const probe = new Probe<number>();
    const all = Array.from({ length: 1_000 }, () => select({ probe, signal }, { signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (let i = 0; i < 1_000; i++) probe.push(i);
    expect((await Promise.all(all)).map(({ value }) => value)).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('can be undefined', async () => {
    expect(await select({ a: () => 1 }, { signal: undefined, random: undefined })).toMatchObject({ value: 1 });
  });
});
