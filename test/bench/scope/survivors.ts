// Scopes, tasks and tokens in each of their states, and the baselines' objects, which live as long as the process. See
// `survive`.

import { CancellationToken } from '@quiesce/cancellation-token';
import { JoinSet, Scope, TaskTracker } from '@quiesce/scope';
import { survive } from '../harness.ts';
import { PlainGroup, PlainList } from './plain.ts';

const forever = (): Promise<never> => new Promise(() => {});

for (const isCancelled of [false, true]) {
  const s = new Scope();
  survive(s);
  for (const work of [forever, forever, () => 1, async () => 2]) {
    const task = s.spawn((token) => {
      survive(
        token,
        token.onCancelled(() => {}),
        token.childToken(),
      );
      return work();
    });
    survive(task);
  }
  if (isCancelled) s.cancel('stop');
}
const set = new JoinSet<unknown>();
const tracker = new TaskTracker();
const list = new PlainList();
const group = new PlainGroup();
for (let i = 0; i < 2; i++) {
  survive(set.spawn(forever), tracker.guard(), list.spawn(forever));
  group.spawn(forever);
}
survive(set, tracker, tracker.wait(), list, group, new CancellationToken());
