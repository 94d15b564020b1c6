// Promises that live as long as the process: the memory that each wait for one leaves on them.
import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';
import { bytesPerTurn } from '../../../test/leak/leak.ts';

const connectionLost = new Promise<never>(() => {});

test('runUntilCancelled retains nothing on a promise that outlives it, and nothing on the token', async () => {
  const growth = await bytesPerTurn({ turns: 20_000, below: 10 }, async () => {
    const request = new CancellationToken();
    const ended = request.runUntilCancelled(connectionLost);
    request.cancel('the client has gone');
    await ended;
  });
  expect(growth).toBeLessThan(10);
});

test('runUntilCancelled retains nothing on a token that is already cancelled', async () => {
  const late = CancellationToken.alreadyCancelled();
  const growth = await bytesPerTurn({ turns: 20_000, below: 10 }, () => late.runUntilCancelled(connectionLost));
  expect(growth).toBeLessThan(10);
});

test('a long-lived token retains nothing of promises that have settled', async () => {
  const server = new CancellationToken();
  const growth = await bytesPerTurn({ turns: 20_000, below: 10 }, () => server.runUntilCancelled(Promise.resolve()));
  expect(growth).toBeLessThan(10);
});
