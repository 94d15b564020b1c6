import { CancelledError, isCancellation, TimeoutError } from '@quiesce/cancellation-token';
import { decodeReason, encodeReason, type FleetKey, fleetKey } from '@quiesce/fleet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('a key', () => {
  it('is its path, and escapes the segments of a list', () => {
    expect(fleetKey('jobs/42/3')).toBe('jobs/42/3');
    expect(fleetKey(['jobs', 42, 'a/b%'])).toBe('jobs/42/a%2Fb%25');
  });

  it('keeps lists apart that differ', () => {
    const segment = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', '/', '%', '2', 'F') });
    const key = fc.array(segment, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(fleetKey(a) === fleetKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(fleetKey(a).split('/').length).toBe(a.length);
      }),
    );
  });

  it.each([
    ['', TypeError],
    ['/jobs', TypeError],
    ['jobs/', TypeError],
    ['jobs//1', TypeError],
    ['jobs/\n', TypeError],
    ['jobs/\u0085', TypeError],
    ['jobs/\ud800', TypeError],
    [[], TypeError],
    [['jobs', ''], TypeError],
    [['jobs', 1.5], TypeError],
    [['jobs', undefined], TypeError],
    [42, TypeError],
    [undefined, TypeError],
    [Array.from({ length: 33 }, () => 'a'), TypeError],
    ['x'.repeat(513), RangeError],
    ['ä'.repeat(257), RangeError],
  ])('refuses %j', (key, type) => {
    expect(() => fleetKey(key as FleetKey)).toThrow(type);
  });

  it('may have 32 segments and 512 bytes', () => {
    expect(fleetKey(Array.from({ length: 32 }, () => 'a')).length).toBe(63);
    expect(fleetKey('ä'.repeat(256)).length).toBe(256);
  });

  it('names the path that was probably meant', () => {
    expect(() => fleetKey('/jobs//1/')).toThrow('write "jobs/1"');
  });
});

describe('a reason', () => {
  it('keeps the source of a CancelledError, and the ms of a TimeoutError', () => {
    const cancelled = decodeReason(encodeReason(new CancelledError('enough', { source: 'shutdown' })));
    expect(cancelled).toBeInstanceOf(CancelledError);
    expect(cancelled).toMatchObject({ message: 'enough', source: 'shutdown' });
    const late = decodeReason(encodeReason(new TimeoutError(50)));
    expect(late).toBeInstanceOf(TimeoutError);
    expect(late).toMatchObject({ ms: 50, message: 'Timed out after 50 ms' });
  });

  it('keeps the name, message and code of an error, and nothing else', () => {
    class HttpError extends Error {
      override readonly name = 'HttpError';
      readonly code = 'E_HTTP';
      readonly secret = 'token';
    }
    const error = decodeReason(encodeReason(new HttpError('gone'))) as Error;
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('HttpError: gone');
    expect({ ...error }).toEqual({ code: 'E_HTTP' });
    expect(String(decodeReason(encodeReason(new DOMException('no', 'AbortError'))))).toBe('AbortError: no');
  });

  it('stands for a CancelledError when it is undefined', () => {
    const reason = decodeReason(encodeReason(undefined));
    expect(reason).toBeInstanceOf(CancelledError);
    expect(isCancellation(reason)).toBe(true);
  });

  it('is equal after the round trip when it is a JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        // JSON writes -0 as 0, at any depth.
        const received = JSON.parse(JSON.stringify(json));
        expect(decodeReason(encodeReason(json))).toEqual(received);
      }),
    );
  });

  it('is a CancelledError that says so when it cannot be read', () => {
    for (const json of ['', '{', '{}', '{"type":"timeout"}', '{"type":"error"}', '{"type":"new"}', '7']) {
      const reason = decodeReason(json) as Error;
      expect(reason).toBeInstanceOf(CancelledError);
      expect(reason.message).toContain('cannot read');
    }
  });

  it('refuses what JSON would change', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const wrong = [
      circle,
      [1, undefined],
      { a: undefined },
      { f() {} },
      1n,
      Number.NaN,
      new Date(),
      { [Symbol('s')]: 1 },
    ];
    for (const reason of wrong) expect(() => encodeReason(reason)).toThrow(TypeError);
    const holes: unknown[] = [];
    holes[1] = 1;
    expect(() => encodeReason(holes)).toThrow(TypeError);
    expect(() => encodeReason('ä'.repeat(4_100))).toThrow(RangeError);
    const twice = { a: 1 };
    expect(decodeReason(encodeReason([twice, twice]))).toEqual([twice, twice]);
  });
});
