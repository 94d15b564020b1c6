// Owns tasks: a failure cancels the others, every cleanup runs, and no task outlives the scope.
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';

const page = scope(
  async (s) => {
    await s.use('connection', (name) => console.log(`3. ${name} closed`));
    s.spawn(async (token) => {
      const { branch } = await select({ ad: sleep(60_000), stopped: token });
      console.log('2. advertisement:', branch);
    });
    const user = s.spawn(async () => {
      await sleep(5);
      console.log('1. no such user');
      throw new Error('404');
    });
    return `Hello, ${await user}`;
  },
  { timeout: 5_000 },
);

await page.catch((error) => console.log('4. the page fails:', error.message));
// => 1. no such user
// => 2. advertisement: stopped
// => 3. connection closed
// => 4. the page fails: 404
