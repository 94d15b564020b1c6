import { checkOptions } from '@quiesce/internal';
import { describe, expect, test } from 'vitest';

const known = ['signal', 'timeout', 'cleanupTimeout', 'name'];
const refusal = (options: unknown, names: readonly string[] = known): string => {
  try {
    checkOptions('scope', options, names);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  return 'accepted';
};

describe('options', () => {
  test('that are known or missing are accepted', () => {
    for (const options of [undefined, {}, { name: 'a' }, { timeout: undefined }, Object.create(null)]) {
      expect(refusal(options)).toBe('accepted');
    }
  });

  test('that are misspelled are refused, with the option that was meant', () => {
    const meant = {
      timeOut: 'timeout',
      timout: 'timeout',
      timeoutMs: 'timeout',
      time: 'timeout',
      Name: 'name',
      cleanup_timeout: 'cleanupTimeout',
      signals: 'signal',
      token: 'signal',
      abortSignal: 'signal',
    };
    for (const [wrong, right] of Object.entries(meant)) {
      expect(refusal({ [wrong]: undefined })).toBe(`scope: there is no option "${wrong}"; did you mean "${right}"?`);
    }
  });

  test('that resemble none are refused, with a list of all', () => {
    expect(refusal({ retries: 3 })).toBe(
      'scope: there is no option "retries"; the options are "signal", "timeout", "cleanupTimeout", "name"',
    );
    expect(refusal({ toString: 1 })).toContain('there is no option "toString"; the options are');
    // A synonym counts only where the option exists.
    expect(refusal({ token: 1 }, ['clock'])).toBe('scope: there is no option "token"; the options are "clock"');
  });

  test('are own properties: an inherited property of all objects is not an option', () => {
    Object.defineProperty(Object.prototype, 'injected', {
      value: 1,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    try {
      expect(refusal({ timeout: 1 })).toBe('accepted');
    } finally {
      delete (Object.prototype as { injected?: unknown }).injected;
    }
  });

  test('are an object: another value is refused and shown, and the place of a signal is named', () => {
    expect(refusal(5_000)).toBe('scope: the options must be an object, got the number 5000: write { timeout: 5000 }');
    expect(refusal(5_000, ['name'])).toBe('scope: the options must be an object, got the number 5000');
    for (const [wrong, shown] of [
      [null, 'null'],
      [new Date(), 'a Date'],
      [new Map(), 'a Map'],
      [Promise.resolve(), 'a Promise'],
      [() => {}, 'a function'],
    ]) {
      expect(refusal(wrong)).toBe(`scope: the options must be an object, got ${shown}`);
    }
    expect(refusal('10')).toBe('scope: the options must be an object, got the string "10": write { name: "10" }');
    expect(refusal('10', ['timeout'])).toBe('scope: the options must be an object, got the string "10"');
    expect(refusal(4, ['timeout', 'concurrency'])).toContain('got the number 4: write { concurrency: 4 }');
    expect(refusal([])).toBe('scope: the options must be an object, got an array');
    expect(refusal(new AbortController().signal)).toBe(
      'scope: the options must be an object, got an AbortSignal: write { signal }',
    );
    expect(refusal(new AbortController().signal, ['name'])).toBe(
      'scope: the options must be an object, got an AbortSignal',
    );
  });

  test('have the kind that their name implies, and flags are true or false', () => {
    const refused = (options: object): unknown => {
      try {
        checkOptions('scope', options, [...known, 'clock'], ['watchdog']);
      } catch (error) {
        return String(error);
      }
      return 'accepted';
    };
    const clock = { now: () => 0, setTimer: () => 0 };
    expect(refused({ name: '', timeout: 0, cleanupTimeout: Number.POSITIVE_INFINITY, clock, watchdog: false })).toBe(
      'accepted',
    );
    expect(refused({ name: null })).toBe('TypeError: scope: name: expected a string, got null');
    expect(refused({ cleanupTimeout: null })).toBe(
      'TypeError: scope: cleanupTimeout must be milliseconds from 0 to Infinity, got null',
    );
    expect(refused({ timeout: Number.NaN })).toBe(
      'RangeError: scope: timeout must be milliseconds from 0 to Infinity, got the number NaN',
    );
    expect(refused({ clock: Date })).toBe('TypeError: scope: clock: expected a Clock, got the function "Date"');
    expect(refused({ watchdog: 'false' })).toBe(
      'TypeError: scope: watchdog: expected true or false, got the string "false"',
    );
    expect(refused({ watchdogs: 1 })).toContain('did you mean "watchdog"?');
  });
});
