// Waits for the first of several branches. A losing function is cancelled and awaited.
import { CancellationToken } from '@quiesce/cancellation-token';
import { select, sleep, timeout } from '@quiesce/select';

const stop = new CancellationToken();

const fast = await select({
  mirror: async (token) => {
    const { branch } = await select({ answer: sleep(60_000), stopped: token });
    console.log('mirror:', branch);
  },
  origin: sleep(10).then(() => 'the page'),
  stop,
});
// => mirror: stopped
if (fast.branch === 'origin') console.log('origin:', fast.value); // => origin: the page

const late = timeout(20, async (token) => {
  await token.cancelled();
  throw token.reason;
});
await late.catch((error) => console.log(error.name, error.ms)); // => TimeoutError 20
