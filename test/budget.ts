// Files share a process, and with it the cooperative budget of @quiesce/cancellation-token: after 1,024 completions a promise
// settles one turn of the event loop later. Each test starts with a full budget, whatever ran before it.
import { consumeBudget } from '@quiesce/cancellation-token';
import { beforeEach } from 'vitest';

beforeEach(async () => {
  let renewed: Promise<void> | undefined;
  while (renewed === undefined) renewed = consumeBudget();
  await renewed;
});
