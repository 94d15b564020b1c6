// One row of the table of outcomes, executed: the action of the body × the action of a child × the handling of its failure.
import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, type SpawnOptions, scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';

export const bodies = ['returns', 'throws', 'is cancelled'] as const;
export const children = [
  'returns',
  'throws',
  'is cancelled',
  'throws during cleanup',
  'ignores cancellation',
  "throws the scope's own reason",
  'throws a foreign AbortError',
] as const;

/** The result of a row. */
export interface Row {
  /** The reason of the scope's token, which cancelled the body and all children; `nothing`: it was not cancelled. */
  readonly cancelled: string;
  /** How the child ended. */
  readonly child: string;
  /** The cleanups, in order. */
  readonly cleanups: string;
  /** The result of the scope. */
  readonly gives: string;
}

const body = new Error('body');
const child = new Error('child');
const foreign = new DOMException('foreign', 'AbortError');
const names = new Map<unknown, string>([
  [body, 'the body’s error'],
  [child, 'the child’s error'],
  [foreign, 'the foreign AbortError'],
  ['stop', 'the outer reason'],
  ['own', 'its own reason'],
]);

function nameOf(error: unknown): string {
  if (error instanceof ScopeError) return `ScopeError of ${error.errors.map(nameOf).join(', ')}`;
  if (isCancelledError(error)) return error.source === 'sibling' ? 'a sibling failed' : error.message;
  return names.get(error) ?? `unexpected: ${String(error)}`;
}

/**
 * The child acts at 5 ms and the body at 10 ms. At 15 ms the child is cancelled alone, if it waits for that. The scope is
 * cancelled then, if the child is to throw its reason. The child cleans up until 10 ms later.
 */
export async function run(
  bodyKind: (typeof bodies)[number],
  childKind: (typeof children)[number],
  onFailure: SpawnOptions['onFailure'],
): Promise<Row> {
  const clock = new VirtualClock();
  const pause = (ms: number): PromiseLike<void> => sleep(ms, { clock });
  const outer = new CancellationToken();
  const cleanups: string[] = [];
  let cancelled = 'nothing';
  let state = '';

  const work = async (token: CancellationToken, scopeToken: CancellationToken): Promise<string> => {
    try {
      if (childKind === 'ignores cancellation') await pause(40);
      if (childKind === 'returns' || childKind === 'ignores cancellation') return 'child';
      if (childKind === 'throws' || childKind === 'throws a foreign AbortError') {
        await pause(5);
        throw childKind === 'throws' ? child : foreign;
      }
      await select({ token });
      await pause(10);
      if (childKind === 'throws during cleanup') throw child;
      throw childKind === 'is cancelled' ? token.reason : scopeToken.reason;
    } finally {
      cleanups.push('child');
    }
  };

  const gives = await clock.run(() =>
    scope(
      async (s) => {
        s.defer(() => cleanups.push('deferred'));
        s.token.onCancelled((reason) => {
          cancelled = nameOf(reason);
        });
        const task = s.spawn((token) => work(token, s.token), { onFailure });
        void (async () => {
          await pause(15);
          if (childKind === "throws the scope's own reason") s.cancel('own');
          else task.cancel();
        })();
        s.defer(() => {
          state = task.status;
        });
        const outcome = await select.biased({ stopped: s.token, acts: pause(10) });
        if (bodyKind === 'throws') throw body;
        if (bodyKind === 'is cancelled') outer.cancel('stop');
        if (bodyKind === 'is cancelled' || outcome.branch === 'stopped') s.token.throwIfCancelled();
        return 'value';
      },
      { signal: outer },
    ).then(
      (value) => `the ${value}`,
      (error: unknown) => nameOf(error),
    ),
  );
  return { cancelled, child: state, cleanups: cleanups.join(', '), gives };
}
