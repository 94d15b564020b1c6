import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { deadlineFetch, extractDeadline, injectDeadline } from '@quiesce/http-deadline';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';

const clock = new VirtualClock();
const timeout = (ms: number): CancellationToken => CancellationToken.timeout(ms, { clock });

describe('injectDeadline', () => {
  it('writes the whole milliseconds that are left, without the margin', async () => {
    const own = new VirtualClock();
    const token = CancellationToken.timeout(2_000.9, { clock: own });
    expect(injectDeadline({}, token)).toEqual({ 'quiesce-timeout-ms': '2000' });
    await own.advance(500);
    expect(injectDeadline({}, token, { margin: 100 })).toEqual({ 'quiesce-timeout-ms': '1400' });
    expect(injectDeadline({}, token, { margin: 5_000 })).toEqual({ 'quiesce-timeout-ms': '0' });
    await own.advance(5_000);
    expect(injectDeadline({}, token)).toEqual({ 'quiesce-timeout-ms': '0' });
  });

  it('takes the earliest deadline, also one that was renewed, and the signal of a token', () => {
    const lease = timeout(5_000).renewable(1_000);
    lease.renew(9_000);
    expect(injectDeadline({}, lease.token.childToken())).toEqual({ 'quiesce-timeout-ms': '5000' });
    expect(injectDeadline({}, timeout(70).signal)).toEqual({ 'quiesce-timeout-ms': '70' });
  });

  it('changes nothing without a deadline', () => {
    const headers = { 'quiesce-timeout-ms': '5' };
    for (const token of [new CancellationToken(), new AbortController().signal, AbortSignal.timeout(5)]) {
      expect(injectDeadline(headers, token)).toBe(headers);
      expect(headers).toEqual({ 'quiesce-timeout-ms': '5' });
    }
    expect(injectDeadline({}, new CancellationToken().renewable(Number.POSITIVE_INFINITY).token)).toEqual({});
  });

  it('replaces the header of a request that is passed on, in any case, unless that has less time', () => {
    const token = timeout(100);
    expect(injectDeadline({ 'Quiesce-Timeout-Ms': '900', other: 'x' }, token)).toEqual({
      'quiesce-timeout-ms': '100',
      other: 'x',
    });
    expect(injectDeadline({ 'quiesce-timeout-ms': ['900', '40'] }, token)).toEqual({ 'quiesce-timeout-ms': '40' });
    expect(injectDeadline({ 'quiesce-timeout-ms': 'soon' }, token)).toEqual({ 'quiesce-timeout-ms': '100' });
    const headers = new Headers([
      ['quiesce-timeout-ms', '900'],
      ['quiesce-timeout-ms', '300'],
    ]);
    expect([...injectDeadline(headers, token)]).toEqual([['quiesce-timeout-ms', '100']]);
  });

  it('writes another header in its own form, and never more than its digits allow', () => {
    const token = timeout(1e12);
    expect(injectDeadline({}, token, { header: 'Grpc-Timeout' })).toEqual({ 'Grpc-Timeout': '99999999m' });
    expect(injectDeadline({}, token, { header: 'connect-timeout-ms' })).toEqual({ 'connect-timeout-ms': '9999999999' });
  });

  it('takes the metadata of gRPC and every other object with `get` and `set`', () => {
    const metadata = new Map<string, string>();
    injectDeadline(metadata, timeout(50), { header: 'grpc-timeout' });
    expect(metadata.get('grpc-timeout')).toBe('50m');
  });

  it('refuses everything else', () => {
    for (const headers of [null, undefined, 'x', [['a', 'b']], new Request('https://example.com'), { get: () => '' }]) {
      expect(() => injectDeadline(headers as never, timeout(5))).toThrow(/injectDeadline: expected Headers, or an obj/);
    }
    expect(() => injectDeadline({}, {} as never)).toThrow(/injectDeadline: expected an AbortSignal or a Canc/);
    expect(() => injectDeadline({}, timeout(5), { margin: -1 })).toThrow(/injectDeadline: margin must be millisec/);
    expect(() => injectDeadline({}, timeout(5), { header: 'a b' })).toThrow(/injectDeadline: header: expected the na/);
  });
});

describe('extractDeadline', () => {
  const left = (headers: Record<string, string | string[]>, maxTimeout?: number): number | undefined =>
    extractDeadline(headers, { clock, maxTimeout }).timeLeft;

  it.each([
    [{ 'quiesce-timeout-ms': '1500' }, 1_500],
    [{ 'connect-timeout-ms': '20' }, 20],
    [{ 'x-envoy-expected-rq-timeout-ms': '15000' }, 15_000],
    [{ 'grpc-timeout': '1H' }, 3_600_000],
    [{ 'grpc-timeout': '2M' }, 120_000],
    [{ 'grpc-timeout': '3S' }, 3_000],
    [{ 'grpc-timeout': '4m' }, 4],
    [{ 'grpc-timeout': '5000u' }, 5],
    [{ 'grpc-timeout': '6000000n' }, 6],
    [{ 'grpc-timeout': '00000001S' }, 1_000],
    [{ 'quiesce-timeout-ms': '0' }, 0],
    [{ 'GRPC-Timeout': '7m' }, 7],
    [{ 'quiesce-timeout-ms': ' 8 ' }, 8],
    [{ 'quiesce-timeout-ms': '30, 20,x' }, 20],
    [{ 'quiesce-timeout-ms': ['30', '25'] }, 25],
    [{ 'grpc-timeout': '2S', 'quiesce-timeout-ms': '900', 'connect-timeout-ms': '3000' }, 900],
  ])('reads %j', (headers, expected) => {
    expect(left(headers as Record<string, string>)).toBeCloseTo(expected, 9);
    expect(left(headers as Record<string, string>, 1e9)).toBeCloseTo(expected, 9);
    expect(left(headers as Record<string, string>, 3)).toBe(Math.min(3, expected));
  });

  it.each([
    ...['', '-5', '1.5', '1e3', 'Infinity', 'NaN', '0x10', '5ms', '12345678901', '+5'].map((value) => [
      'quiesce-timeout-ms',
      value,
    ]),
    ...['5', 'S', '123456789m', '1s', '1h', '-1S', '1.5S', '1 S', ''].map((value) => ['grpc-timeout', value]),
    ['x-envoy-upstream-rq-timeout-ms', '5'],
  ])('ignores %s: %s', (header, value) => {
    expect(left({ [header as string]: value as string })).toBeUndefined();
    expect(left({ [header as string]: value as string, 'connect-timeout-ms': '70' }, 100)).toBe(70);
  });

  it('no header extends `maxTimeout` or the deadline of the parent', () => {
    const header = fc.constantFrom(
      'quiesce-timeout-ms',
      'grpc-timeout',
      'connect-timeout-ms',
      'x-envoy-expected-rq-timeout-ms',
    );
    const value = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.tuple(fc.nat(1e8), fc.constantFrom(...'HMSmunx')).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(fc.dictionary(header, value), (headers) => {
        const token = extractDeadline(headers, { signal: timeout(500), maxTimeout: 400, clock });
        expect(token.timeLeft).toBeLessThanOrEqual(400);
        expect(extractDeadline(headers, { signal: timeout(300), maxTimeout: 400, clock }).timeLeft).toBeLessThanOrEqual(
          300,
        );
      }),
    );
  });

  it('returns a child of the parent, cancelled with it, or at the deadline with a TimeoutError', async () => {
    const own = new VirtualClock();
    const parent = new CancellationToken();
    const headers = new Headers({ 'quiesce-timeout-ms': '50' });
    const token = extractDeadline(headers, { signal: parent, name: 'GET /', clock: own });
    await own.advance(50);
    expect([token.isCancelled, parent.isCancelled]).toEqual([true, false]);
    expect(token.reason).toMatchObject({ ms: 50, message: 'Timed out after 50 ms (token "GET /")' });
    const other = extractDeadline({}, { signal: parent.signal });
    expect(other.timeLeft).toBeUndefined();
    parent.cancel('gone');
    expect(other.reason).toBe('gone');
  });

  it('uses the clock of the deadline of its parent when it gets none', async () => {
    const own = new VirtualClock();
    const token = extractDeadline(
      { 'quiesce-timeout-ms': '50' },
      { signal: CancellationToken.timeout(99, { clock: own }) },
    );
    await own.advance(50);
    expect(token.reason).toMatchObject({ ms: 50 });
  });

  it('counts from `since`, and names the whole time', async () => {
    const own = new VirtualClock();
    const since = own.now();
    await own.advance(30);
    const token = extractDeadline({ 'quiesce-timeout-ms': '50' }, { clock: own, since });
    expect(token.timeLeft).toBe(20);
    await own.advance(20);
    expect(token.reason).toMatchObject({ ms: 50 });
  });

  it('refuses what are no headers, and options that make no sense', () => {
    for (const headers of [null, undefined, 'x', [], new Request('https://example.com')]) {
      expect(() => extractDeadline(headers as never)).toThrow(
        /extractDeadline: expected Headers, or an object of head/,
      );
    }
    expect(() => extractDeadline({}, { maxTimeout: -1 })).toThrow(/extractDeadline: maxTimeout must be milliseconds/);
    expect(() => extractDeadline({}, { signal: {} as never })).toThrow(/extractDeadline: signal: expected an AbortSig/);
    expect(() => extractDeadline({ 'quiesce-timeout-ms': '5' }, { since: 9, clock })).toThrow(/since must be a time/);
  });

  it('reads what injectDeadline has written, and never more', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e15, noNaN: true }),
        fc.constantFrom('grpc-timeout', undefined),
        (ms, header) => {
          const written = injectDeadline({}, timeout(ms), { header });
          const read = extractDeadline(written, { clock }).timeLeft ?? Number.NaN;
          expect(read).toBeLessThanOrEqual(ms);
          expect(read).toBeGreaterThan(Math.min(ms, 99_999_999) - 1 - 1e-6);
        },
      ),
    );
  });
});

describe('deadlineFetch', () => {
  const ok = () => vi.fn(async (_input: unknown, _init?: RequestInit) => new Response('ok'));
  const headersOf = (send: ReturnType<typeof ok>): [string, string][] => [
    ...new Headers(send.mock.calls[0]?.[1]?.headers),
  ];

  it('passes the deadline of the signal on, beside the headers of the request', async () => {
    const send = ok();
    const get = deadlineFetch(send as typeof fetch, { margin: 100 });
    const { signal } = timeout(2_000).childToken();
    await get('https://example.com', { signal, headers: { accept: 'x' }, method: 'PUT' });
    expect(headersOf(send)).toEqual([
      ['accept', 'x'],
      ['quiesce-timeout-ms', '1900'],
    ]);
    expect(send.mock.calls[0]?.[1]).toMatchObject({ method: 'PUT', signal });
  });

  it('keeps the headers of a Request', async () => {
    const send = ok();
    const request = new Request('https://example.com', { headers: { accept: 'x' } });
    await deadlineFetch(send as typeof fetch)(request, { signal: timeout(70).signal });
    expect(headersOf(send)).toEqual([
      ['accept', 'x'],
      ['quiesce-timeout-ms', '70'],
    ]);
  });

  it('is the same as fetch without a signal, and for signals without a deadline', async () => {
    for (const init of [
      undefined,
      {},
      { signal: null },
      { signal: new AbortController().signal },
      { signal: new CancellationToken().signal },
    ]) {
      const send = ok();
      await deadlineFetch(send as typeof fetch)('https://example.com', init);
      expect(send.mock.calls).toEqual([['https://example.com', init]]);
    }
  });

  it('refuses a request whose time is over, with the reason of the token, and one that the margin leaves no time', async () => {
    const send = ok();
    const get = deadlineFetch(send as typeof fetch, { margin: 50 });
    const over = timeout(0);
    await expect(get('https://example.com', { signal: over.signal })).rejects.toBe(over.reason);
    await expect(get('https://example.com', { signal: timeout(50.5).signal })).rejects.toThrow(TimeoutError);
    await expect(
      get('https://example.com', { signal: CancellationToken.alreadyCancelled('stop').signal }),
    ).rejects.toBe('stop');
    expect(send).not.toHaveBeenCalled();
    await get('https://example.com', { signal: timeout(51).signal });
    expect(headersOf(send)).toEqual([['quiesce-timeout-ms', '1']]);
  });

  it('uses the global fetch at the time of the call', async () => {
    const get = deadlineFetch();
    const send = ok();
    vi.stubGlobal('fetch', send);
    await get('https://example.com', { signal: timeout(70).signal });
    vi.unstubAllGlobals();
    expect(headersOf(send)).toEqual([['quiesce-timeout-ms', '70']]);
  });

  it('refuses what is no fetch, and options that make no sense', async () => {
    expect(() => deadlineFetch(5 as never)).toThrow(/deadlineFetch: expected a function/);
    expect(() => deadlineFetch(undefined, { header: '' })).toThrow(/deadlineFetch: header: expected the name/);
    await expect(deadlineFetch(ok() as typeof fetch)('x', { signal: {} as never })).rejects.toThrow(
      /deadlineFetch: signal/,
    );
  });
});
