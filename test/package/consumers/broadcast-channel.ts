// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import {
  type BroadcastReceiver,
  type BroadcastSender,
  broadcast,
  type WeakBroadcastSender,
} from '@quiesce/broadcast-channel';
import { retained } from '@quiesce/broadcast-channel/testing';

const [tx, rx]: [BroadcastSender<number>, BroadcastReceiver<number>] = broadcast<number>(2);
const first: Promise<number> = rx.recv();
for (const value of [1, 2, 3, 4]) tx.send(value);
const next = rx.tryRecv();
if (next.ok || next.why !== 'lagged' || next.missedCount !== 1) throw new Error('the lag was not counted');
const weak: WeakBroadcastSender<number> = tx.downgrade();
const held: number[] = retained(weak);
if (held.join() !== '3,4') throw new Error(`the channel holds ${held.join()}`);
void first.then((value: number) => {
  if (value !== 1) throw new Error(`received ${value}`);
});
