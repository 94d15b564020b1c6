// Every value of a broadcast receiver is delivered exactly once, in order, however many selects win, lose and are cancelled.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deferred, turn } from './vocabulary.ts';

/** One select over the receiver and rivals that may win. */
interface Contest {
  stop: CancellationToken;
  beat: () => void;
}

type Step = 'send' | 'select' | 'function' | 'biased' | 'stop' | 'beat' | 'both' | 'turn';

const steps: fc.Arbitrary<Step> = fc.oneof(
  ...(
    [
      ['send', 4],
      ['select', 4],
      ['function', 3],
      ['biased', 3],
      ['stop', 6],
      ['beat', 3],
      ['both', 3],
      ['turn', 1],
    ] as const
  ).map(([step, weight]) => ({ arbitrary: fc.constant(step), weight })),
);

test('no value is lost, and no value is delivered twice', async () => {
  let cancellations = 0;
  let received = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(steps, fc.nat(4)), { minLength: 20, maxLength: 160, size: 'max' }),
      async (plan) => {
        const [tx, rx] = broadcast<number>(256);
        const taken: number[] = [];
        const contests: Contest[] = [];
        const running: Promise<unknown>[] = [];
        let sent = 0;

        const begin = (kind: 'select' | 'function' | 'biased'): void => {
          const stop = new CancellationToken();
          const beaten = new CancellationToken();
          const { promise, resolve } = deferred();
          contests.push({ stop, beat: () => (kind === 'select' ? resolve() : beaten.cancel()) });
          const run = kind === 'biased' ? select.biased : select;
          const work =
            kind === 'function' &&
            (async (token: CancellationToken): Promise<never> => {
              await token.cancelled();
              throw token.reason;
            });
          const outcome = run({ promise: kind === 'select' && promise, rx, work, beaten }, { signal: stop });
          running.push(
            outcome.then(
              ({ branch, value }) => branch === 'rx' && taken.push(value as number),
              () => cancellations++,
            ),
          );
        };

        for (const [step, which] of plan) {
          const contest = contests[contests.length - 1 - which];
          if (step === 'send') tx.send(sent++);
          else if (step === 'select' || step === 'function' || step === 'biased') begin(step);
          else if (step === 'turn') await turn();
          else {
            if (step !== 'beat') contest?.stop.cancel();
            if (step === 'both' && which % 2 === 0) tx.send(sent++);
            if (step !== 'stop') contest?.beat();
          }
        }
        for (const { stop } of contests) stop.cancel();
        await Promise.all(running);
        for (let got = rx.tryRecv(); got.ok; got = rx.tryRecv()) taken.push(got.value);
        received += taken.length;
        expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
      },
    ),
    { numRuns: 500 },
  );
  // The plans must reach it, or the test shows nothing.
  expect(cancellations).toBeGreaterThan(2_000);
  expect(received).toBeGreaterThan(2_000);
});

test('values are delivered in order to a loop that loses again and again', async () => {
  const [tx, rx] = broadcast<number>(8);
  const taken: number[] = [];
  const turns = 3_000;
  let sent = 0;
  for (let i = 0; i < turns; i++) {
    const rival = new CancellationToken();
    const outcome = select({ rx, rival });
    if (i % 3 !== 0) tx.send(sent++);
    if (i % 2 === 0) rival.cancel();
    else if (i % 3 === 0) tx.send(sent++);
    const { branch, value } = await outcome;
    if (branch === 'rx') taken.push(value as number);
    while (rx.length > 4) taken.push(await rx.recv());
  }
  for (let got = rx.tryRecv(); got.ok; got = rx.tryRecv()) taken.push(got.value);
  expect(taken).toEqual(Array.from({ length: sent }, (_, i) => i));
});
