// Options of tokens: an unknown one is a mistake of the caller, and a parent is not an options object.
import { CancellationToken, reportUncaught } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';

const token = new CancellationToken();

test.each<[string, (options: never) => unknown, string]>([
  ['new CancellationToken', (options) => new CancellationToken(options), 'name'],
  ['childToken', (options) => token.childToken(options), 'name'],
  ['withTimeout', (options) => token.withTimeout(5, options), 'clock'],
  ['withDeadline', (options) => token.withDeadline(new Date(), options), 'clock'],
  ['CancellationToken.timeout', (options) => CancellationToken.timeout(5, options), 'clock'],
  ['reportUncaught', (options) => reportUncaught('never reported', options), 'fatal'],
])('%s refuses an unknown option, and names the one that was meant', (call, run, known) => {
  const wrong = `${known}s`;
  expect(() => run({ [wrong]: 1 } as never)).toThrow(
    new TypeError(`${call}: there is no option "${wrong}"; did you mean "${known}"?`),
  );
  expect(() => run(5 as never)).toThrow(`${call}: the options must be an object, got the number 5`);
});

test.each([
  ['a token', token],
  ['a signal', new AbortController().signal],
])('%s in place of the options of a new token is refused, with the call that creates a child', (_, parent) => {
  expect(() => new CancellationToken(parent as never)).toThrow(
    /^new CancellationToken: got an? \w+ instead of options: a child of a token is token\.childToken\(\)/,
  );
});

test.each([
  ['a controller', new AbortController()],
  ['options with a signal', { signal: new AbortController().signal }],
])('%s in place of the options of a new token is refused, with the call that follows a signal', (_, options) => {
  expect(() => new CancellationToken(options as never)).toThrow(
    /^new CancellationToken: .* a token that follows a signal is CancellationToken\.from\(signal\)$/,
  );
});

test.each(['any', 'all'] as const)('%s of tokens that are not in a list is refused, with the call to write', (kind) => {
  expect(() => CancellationToken[kind](token as never)).toThrow(
    `CancellationToken.${kind}: expected a list, got a CancellationToken: write ${kind}([a, b])`,
  );
});

test('an invalid time is refused by the call that was written', () => {
  expect(() => CancellationToken.timeout('10' as never)).toThrow('CancellationToken.timeout: the time');
});
