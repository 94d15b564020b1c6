// A call with a wrong argument must not lose the value that a receive among its arguments has taken.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { channel } from '@quiesce/channel';
import { match, moveOnAfter, select, selectEach, settle, timeout, timeoutAt, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: the calls are wrong on purpose
type Wrong = any;

const receivers: Record<string, () => { recv(): Wrong; readonly length: number }> = {
  channel: () => {
    const [tx, rx] = channel<number>(2);
    tx.trySend(1);
    return rx;
  },
  broadcast: () => {
    const [tx, rx] = broadcast<number>(2);
    tx.send(1);
    return rx;
  },
};

const live = new CancellationToken();
const calls: Record<string, (call: Wrong) => unknown> = {
  'trySelect with an unknown option': (call) => trySelect({ call }, { nope: 1 } as Wrong),
  'trySelect with a random that is no function': (call) => trySelect({ call, live }, { random: 5 } as Wrong),
  'trySelect with a promise': (call) => trySelect({ call, late: Promise.resolve() } as Wrong),
  'trySelect of the receive instead of an object': (call) => trySelect(call),
  'trySelect of a list': (call) => trySelect([call] as Wrong),
  'match with a guard that is no function': (call) => match(call, 5 as Wrong),
  'match of a match': (call) => match(match(call) as Wrong, () => true),
  'settle of a match': (call) => settle(match(call) as Wrong),
  'untilCancelled without a token': (call) => untilCancelled(5 as Wrong, call),
  'select with an unknown option': (call) => select({ call }, { nope: 1 } as Wrong),
  'selectEach with an unknown option': (call) => selectEach({ call }, { nope: 1 } as Wrong),
  'timeout with an unknown option': (call) => timeout(5, call, { nope: 1 } as Wrong),
  'timeout with swapped arguments': (call) => timeout(call, 5 as Wrong),
  'timeout with a wrong time': (call) => timeout('5' as Wrong, call),
  'timeout with a wrong signal': (call) => timeout(5, call, { signal: null } as Wrong),
  'timeoutAt with a wrong date': (call) => timeoutAt(5 as Wrong, call),
  'moveOnAfter without options': (call) => moveOnAfter(5, call, null as Wrong),
  'select without options': (call) => select({ call }, null as Wrong),
  'select of a list': (call) => select([call] as Wrong),
  'select with a wrong signal': (call) => select({ call }, { signal: 5 } as Wrong),
  'select.biased with a random': (call) => select.biased({ call }, { random: Math.random } as Wrong),
  'selectEach with a random that is no function': (call) => selectEach({ call }, { random: 5 } as Wrong),
  'trySelect.biased with options': (call) => (trySelect.biased as Wrong)({ call }, {}),
  'runUntilCancelled without its token': (call) => new CancellationToken().runUntilCancelled.call(5 as Wrong, call),
};

describe.each(Object.entries(receivers))('%s', (_, open) => {
  it.each(Object.entries(calls))('%s throws, and the value stays in the receiver', async (_call, run) => {
    const rx = open();
    await expect((async () => run(rx.recv()))()).rejects.toMatchObject({
      name: expect.stringMatching(/^(Type|Range)Error$/),
    });
    expect(rx.length).toBe(1);
  });
});

describe('an else that the branches inherit does not count', () => {
  const branches = (): Wrong => Object.assign(Object.create({ else: () => 'inherited' }), { off: false });

  it('in select', async () => {
    await expect(select(branches())).rejects.toThrow('every branch is off and there is no else');
  });

  it('in trySelect', () => {
    expect(trySelect(branches())).toEqual({ ok: false, why: 'off' });
  });

  it('in selectEach', async () => {
    const [tx, rx] = channel<number>(1);
    tx.trySend(1);
    tx.close();
    const missed = Object.assign(branches(), { never: match(rx, () => false) });
    for await (const outcome of selectEach(missed)) expect.unreachable(String(outcome));
  });
});
