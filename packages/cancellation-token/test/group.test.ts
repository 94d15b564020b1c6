import { getEventListeners } from 'node:events';
import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { describe, expect, it, vi } from 'vitest';

function tokens(count: number): CancellationToken[] {
  return Array.from({ length: count }, () => new CancellationToken());
}

describe('CancellationToken.any', () => {
  it('is cancelled with the first source, and keeps its reason', () => {
    const [a, b] = tokens(2) as [CancellationToken, CancellationToken];
    const any = CancellationToken.any([a, b]);
    expect(any.isCancelled).toBe(false);
    b.cancel('b');
    a.cancel('a');
    expect(any.reason).toBe('b');
  });

  it('shares the default reason, which is created once', () => {
    const source = new CancellationToken();
    const any = CancellationToken.any([source]);
    source.cancel();
    expect(any.reason).toBeInstanceOf(CancelledError);
    expect(any.reason).toBe(source.reason);
  });

  it('notifies once, inside the cancel of the source, after the source’s own listeners', () => {
    const [a, b] = tokens(2) as [CancellationToken, CancellationToken];
    const any = CancellationToken.any([a, b, a]);
    const log: string[] = [];
    any.onCancelled((reason) => log.push(`any ${String(reason)}`));
    a.onCancelled(() => log.push(`a, any is cancelled: ${any.isCancelled}`));
    a.cancel('stop');
    b.cancel('again');
    expect(log).toEqual(['a, any is cancelled: true', 'any stop']);
  });

  it('follows signals, with one listener on each, only while it is observed', () => {
    const controller = new AbortController();
    const any = CancellationToken.any([controller.signal, new CancellationToken()]);
    const other = CancellationToken.any([controller.signal]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    const registrations = [any.onCancelled(() => {}), other.onCancelled(() => {})];
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    for (const registration of registrations) registration.dispose();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    controller.abort('bye');
    expect([any.reason, other.reason]).toEqual(['bye', 'bye']);
  });

  it('can be cancelled alone, which neither affects its sources nor leaves anything on them', () => {
    const [a, b] = tokens(2) as [CancellationToken, CancellationToken];
    const controller = new AbortController();
    const any = CancellationToken.any([a, b, controller.signal]);
    const callback = vi.fn();
    any.onCancelled(callback);
    expect(any.cancel('own')).toBe(true);
    expect([a.isCancelled, b.isCancelled]).toEqual([false, false]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    a.cancel('a');
    expect(callback.mock.calls).toEqual([['own']]);
  });

  it('is cancelled if one source is; with no sources it never is by them', () => {
    const cancelled = CancellationToken.alreadyCancelled('before');
    const callback = vi.fn();
    CancellationToken.any([new CancellationToken(), cancelled]).onCancelled(callback);
    expect(callback).toHaveBeenCalledWith('before');
    expect(CancellationToken.any([]).isCancelled).toBe(false);
  });

  it('has children, and can be a source of another', () => {
    const [a, b, c] = tokens(3) as [CancellationToken, CancellationToken, CancellationToken];
    const leaf = CancellationToken.any([CancellationToken.any([a, b]), c]).childToken();
    const callback = vi.fn();
    leaf.onCancelled(callback);
    b.cancel('deep');
    expect(callback).toHaveBeenCalledWith('deep');
  });

  it('ignores a source that was disposed, before it was combined or after', () => {
    const [a, b, c] = tokens(3) as [CancellationToken, CancellationToken, CancellationToken];
    a.dispose();
    const any = CancellationToken.any([a, b, c]);
    const callback = vi.fn();
    any.onCancelled(callback);
    b.dispose();
    c.cancel('c');
    expect(callback.mock.calls).toEqual([['c']]);
  });

  it('knows which of several sources was first, although it was not observed', () => {
    const [a, b] = tokens(2) as [CancellationToken, CancellationToken];
    const [any, all] = [CancellationToken.any([a, b]), CancellationToken.all([a, b])];
    b.cancel('first');
    a.cancel('second');
    expect([any.reason, all.reason]).toEqual(['first', 'second']);
  });

  it('refuses a source that is neither a token nor a signal', () => {
    expect(() => CancellationToken.any([new AbortController() as never])).toThrow(/got an AbortController/);
  });
});

describe('CancellationToken.all', () => {
  it('is cancelled with the last source, and keeps its reason', () => {
    const [a, b, c] = tokens(3) as [CancellationToken, CancellationToken, CancellationToken];
    const all = CancellationToken.all([a, b, c]);
    const callback = vi.fn();
    all.onCancelled(callback);
    c.cancel('c');
    a.cancel('a');
    expect([all.isCancelled, callback.mock.calls.length]).toEqual([false, 0]);
    b.cancel('b');
    expect(callback.mock.calls).toEqual([['b']]);
  });

  it('counts a parent and its child that are cancelled and marked by one call', () => {
    const parent = new CancellationToken();
    const all = CancellationToken.all([parent.childToken(), parent]);
    const callback = vi.fn();
    all.onCancelled(callback);
    parent.cancel('both');
    expect(callback.mock.calls).toEqual([['both']]);
  });

  it('is already cancelled with no sources', () => {
    expect(CancellationToken.all([]).isCancelled).toBe(true);
  });
});

describe('CancellationToken.never', () => {
  it('is a single token that cannot be cancelled and retains nothing', () => {
    const { never } = CancellationToken;
    expect(CancellationToken.never).toBe(never);
    expect(() => never.cancel()).toThrow(TypeError);
    expect(never.isCancelled).toBe(false);
    expect(never.onCancelled(() => {}).dispose()).toBe(false);
    never.dispose();
    expect(never.signal.aborted).toBe(false);
  });

  it('has children that are roots of their own', () => {
    const child = CancellationToken.never.childToken();
    child.cancel('own');
    expect(child.reason).toBe('own');
  });
});

describe('detached', () => {
  it('keeps the name, but neither the parent nor its deadline', () => {
    const parent = new CancellationToken().withTimeout(1_000, { name: 'import' });
    const detached = parent.detached();
    parent.cancel();
    expect([detached.name, detached.isCancelled, detached.deadline]).toEqual(['import', false, undefined]);
  });
});
