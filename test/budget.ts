// Files share a process, and with it the cooperative budget of @quiesce/cancellation-token. After 1,024 completions, a promise
// settles one iteration of the event loop later. Each test therefore starts with a full budget.
import { consumeBudget } from '@quiesce/cancellation-token';
import { beforeEach } from 'vitest';

beforeEach(async () => {
  let renewed: Promise<void> | undefined;
  while (renewed === undefined) renewed = consumeBudget();
  await renewed;
});
