import { explore } from '@quiesce/testing';
import { expect, test } from 'vitest';

test.each([
  [3, 2, 90],
  [4, 2, 2520],
  [3, 3, 1680],
])('%i tasks of %i operations are exhausted in %i schedules', async (tasks, operations, expected) => {
  const orders = new Set<string>();
  const report = await explore(
    async (world) => {
      const call = world.external('call', ['answer']);
      let order = '';
      const task = async (name: number) => {
        for (let i = 0; i < operations; i++) {
          await call(name, i);
          order += name;
        }
      };
      await Promise.all(Array.from({ length: tasks }, (_, i) => task(i)));
      orders.add(order);
    },
    { bound: Number.POSITIVE_INFINITY },
  );
  expect(report).toMatchObject({ scheduleCount: expected, stoppedBy: 'exhausted', isComplete: true });
  expect(orders.size).toBe(expected);
});
