import { Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, world } from './vocabulary.ts';

describe('a fleet that is attached to a shutdown', () => {
  it('is drained with the other parts, and closed in the final phase', async () => {
    const { clock, join } = world();
    const fleet = await join('one');
    const shutdown = new Shutdown({ clock, logger: false });
    fleet.attach(shutdown);
    const work = deaf();
    const run = fleet.run('jobs/1', work.work);
    shutdown.request('deploy');
    await clock.advance(1_000);
    expect(await rejection(fleet.run('jobs/2', () => {}))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(fleet.state.borrow().link).toBe('up');
    work.finish();
    await run;
    const report = await clock.run(() => shutdown.stopped());
    expect(report.cutOff).toEqual([]);
    expect(report.drained.find(({ name }) => name === 'fleet')).toMatchObject({ outcome: 'drained' });
    expect(fleet.state.borrow().link).toBe('closed');
  });

  it('waits for a slot first, so that one process drains at a time', async () => {
    const { clock, join } = world();
    const log: string[] = [];
    const shutdowns: Shutdown[] = [];
    for (const node of ['a', 'b']) {
      const fleet = await join(node);
      const shutdown = new Shutdown({ clock, logger: false });
      fleet.attach(shutdown, { slot: { name: 'rollout', timeout: 60_000 } });
      shutdown.hook(`${node}`, async () => {
        log.push(`${node} cleans up`);
        await new Promise<void>((resolve) => void clock.setTimer(2_000, resolve));
        log.push(`${node} is done`);
      });
      shutdowns.push(shutdown);
    }
    for (const shutdown of shutdowns) shutdown.request('deploy');
    await clock.advance(1_000);
    expect(log).toEqual(['a cleans up']);
    expect([shutdowns[1]?.isReady, ...(shutdowns[1]?.progress.waitingFor ?? [])]).toEqual([
      false,
      'waiting for a slot of "rollout"',
    ]);
    await clock.run(() => Promise.all(shutdowns.map((shutdown) => shutdown.stopped())));
    expect(log).toEqual(['a cleans up', 'a is done', 'b cleans up', 'b is done']);
  });

  it('continues without a slot after the timeout, and says so in the report', async () => {
    const { clock, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const holder = deaf();
    const held = a.lease('rollout', holder.work);
    const shutdown = new Shutdown({ clock, logger: false });
    b.attach(shutdown, { slot: { name: 'rollout', timeout: 3_000 } });
    await clock.advance(0);
    shutdown.request('deploy');
    const report = await clock.run(() => shutdown.stopped());
    expect(report.hooks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['waiting for a slot of "rollout"', 'timed out'],
      ['fleet', 'done'],
    ]);
    holder.finish();
    await held;
  });

  it('refuses anything but a shutdown, and unknown options', async () => {
    const { join } = world();
    const fleet = await join('one');
    expect(() => fleet.attach({} as never)).toThrow('attach: expected a Shutdown, got an object');
    const shutdown = new Shutdown({ logger: false });
    expect(() => fleet.attach(shutdown, { slots: {} } as never)).toThrow('did you mean "slot"?');
    expect(() => fleet.attach(shutdown, { slot: { name: 'x', permits: 0 } })).toThrow(RangeError);
    expect(() => fleet.attach(shutdown, { slot: {} as never })).toThrow('attach: slot');
  });
});
