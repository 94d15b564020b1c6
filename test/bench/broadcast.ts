import { EventEmitter, on } from 'node:events';
import { broadcast } from '@quiesce/broadcast-channel';
import { atLeast } from './budget.ts';
import { type Row, timed } from './harness.ts';

const RECEIVERS = 64;
const MESSAGES = 100;

/** Sends one message at a time, and lets the receivers take it before the next. */
async function sendAll(send: (value: number) => void): Promise<void> {
  for (let value = 0; value < MESSAGES; value++) {
    send(value);
    await Promise.resolve();
  }
}

function verify(counts: readonly number[]): void {
  if (counts.some((count) => count !== MESSAGES)) throw new Error(`messages were lost: ${counts.join(' ')}`);
}

export const rows: readonly Row[] = [
  {
    name: `one message at a time to ${RECEIVERS} receivers, each its own loop, a delivery`,
    unit: 'ns',
    subjects: () => [
      timed({
        name: 'quiesce',
        batch: RECEIVERS * MESSAGES,
        isAsync: true,
        run: async () => {
          const [tx, rx] = broadcast<number>(128);
          const receivers = [rx, ...Array.from({ length: RECEIVERS - 1 }, () => tx.subscribe())];
          const loops = receivers.map(async (receiver) => {
            let count = 0;
            for (; count < MESSAGES; count++) await receiver.recv();
            return count;
          });
          await sendAll((value) => tx.send(value));
          verify(await Promise.all(loops));
        },
      }),
      timed({
        name: 'quiesce, for await',
        batch: RECEIVERS * MESSAGES,
        isAsync: true,
        run: async () => {
          const [tx, rx] = broadcast<number>(128);
          const receivers = [rx, ...Array.from({ length: RECEIVERS - 1 }, () => tx.subscribe())];
          const loops = receivers.map(async (receiver) => {
            let count = 0;
            for await (const _ of receiver) count++;
            return count;
          });
          await sendAll((value) => tx.send(value));
          tx.close();
          verify(await Promise.all(loops));
        },
      }),
      timed({
        name: 'events.on',
        batch: RECEIVERS * MESSAGES,
        isAsync: true,
        run: async () => {
          const emitter = new EventEmitter().setMaxListeners(0);
          const loops = Array.from({ length: RECEIVERS }, async () => {
            let count = 0;
            for await (const _ of on(emitter, 'message', { close: ['end'] })) count++;
            return count;
          });
          await sendAll((value) => emitter.emit('message', value));
          emitter.emit('end');
          verify(await Promise.all(loops));
        },
      }),
    ],
    budgets: [{ against: 'events.on', must: atLeast(1.6) }],
  },
];
