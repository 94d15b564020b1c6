// @ts-nocheck: each runner has globals of its own.
// The same tests for each runner: `define(test, explore)`. The names say how they end.
module.exports = (test, { explore, cancelEverywhere }) => {
  test('passes: a correct test', () =>
    explore(async (world) => {
      const load = world.external('load', ['page']);
      await Promise.all([load(1), load(2)]);
      await new Promise((resolve) => setTimeout(resolve, 1e6));
    }));

  test('fails: a rejection of the test', () =>
    explore(async (world) => {
      let order = '';
      const load = world.external('load', ['page']);
      await Promise.all([1, 2].map((i) => load(i).then(() => (order += i))));
      if (order === '21') throw new Error('order 21');
    }));

  test('fails: an unhandled rejection', () =>
    explore(async (world) => {
      void world.external('load', () => Promise.reject(new Error('no code handles it')))();
      await world.rest();
    }));

  test('fails: an uncaught exception', () =>
    explore(async (world) => {
      setTimeout(() => {
        throw new Error('no code catches it');
      }, 5);
      await world.rest();
    }));

  test('passes: the next test has real timers, and time', async () => {
    const start = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (Date.now() - start < 15 || Date.now() > Date.UTC(2200, 0)) throw new Error('the time is not real');
  });

  test('passes: a cancellation at every point', () =>
    cancelEverywhere(async (world, signal) => {
      await world.external('load', ['page'])({ signal });
    }));

  test('fails: a real timer', () => {
    const real = setTimeout;
    return explore(() => new Promise((resolve) => real(resolve, 2)));
  });
};
