import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entryOf, inKilobytes, sizeOf, sizeOfPackage } from './bundle.ts';
import { publicPackages, root } from './packages.ts';

/** What a package may weigh, minified and gzipped, with everything of ours that it imports; 1 kB is 1,000 bytes. */
interface Ceiling {
  /** The budget. */
  readonly bytes: number;
  readonly why: string;
  /** Where the budget is not met yet: what it weighs now, which it may not exceed; docs/design.md says why. */
  readonly now?: number;
}

const ceilings: Record<string, Ceiling> = {
  'cancellation-token': {
    bytes: 3_000,
    why: 'the tree, its signals and its deadlines: what every program of ours carries',
    now: 7_200,
  },
  'broadcast-channel': { bytes: 4_500, why: 'the token, and a ring with lag and close', now: 9_800 },
  channel: {
    bytes: 7_500,
    why: 'the token, and 4.5 kB for mpsc, oneshot, watch, semaphore and mutex on one line of waiters',
    now: 11_600,
  },
  select: { bytes: 5_500, why: 'the token, and races that leave nothing behind, with timers', now: 12_600 },
  scope: { bytes: 9_000, why: 'the token, select, and tasks whose cleanup is awaited in order', now: 14_000 },
  shutdown: {
    bytes: 32_000,
    why: 'scope, select and watch, and 11 kB for phases, signals, report, checks and the watchdog',
  },
  'http-drain': { bytes: 12_000, why: 'scope, and 4 kB for connections, sessions and health' },
  effect: { bytes: 21_000, why: 'all that runs everywhere, and 5 kB of bridges; Effect itself is the peer' },
  'worker-pool': { bytes: 15_500, why: 'scope and channel, and 4 kB for two pools' },
};

/** Programs that use a part of a package: bundlers should leave out the rest. The same ceilings, for what is imported. */
const programs: Record<string, Ceiling & { readonly code: string }> = {
  'child tokens and cancel': {
    code: `import { CancellationToken } from 'cancellation-token';
      const root = new CancellationToken();
      const child = root.childToken();
      root.cancel();
      console.log(child.isCancelled);`,
    bytes: 2_000,
    why: 'the tree and its queue alone; but no bundler takes unused methods out of a class',
    now: 6_600,
  },
  CancelledError: {
    code: `export { CancelledError } from 'cancellation-token';`,
    bytes: 500,
    why: 'an error class: bundlers leave out the classes that nobody uses',
  },
  'the source protocol': {
    code: `export { isSource, PENDING, source } from 'cancellation-token';`,
    bytes: 300,
    why: 'two symbols and a question',
  },
  untilCancelled: {
    code: `export { untilCancelled } from 'cancellation-token';`,
    bytes: 3_000,
    why: 'a token, and one small machine on top',
    now: 6_900,
  },
};

describe.each(Object.entries(programs))('the size of a program with %s', (_, ceiling) => {
  const size = sizeOf(ceiling.code.replace("'cancellation-token'", JSON.stringify(entryOf('cancellation-token'))));
  checkSize(size, ceiling);
});

describe.each(publicPackages())('the size of $folder', ({ folder }) => {
  const size = sizeOfPackage(folder);
  checkSize(size, ceilings[folder]);

  it('is what the README says, rounded up to 0.1 kB', async () => {
    const readme = readFileSync(`${root}README.md`, 'utf8');
    const [, said] = new RegExp(`<!-- size:${folder} -->([\\d.]+) kB`).exec(readme) ?? [];
    expect(said).toBe(inKilobytes(await size));
  });
});

function checkSize(size: Promise<number>, ceiling: Ceiling | undefined): void {
  it('stays below its ceiling', async () => {
    if (ceiling === undefined) throw new Error('it has no ceiling: add one, with its reason, to this file');
    const allowed = ceiling.now ?? ceiling.bytes;
    expect(await size, `${allowed} bytes for ${ceiling.why}`).toBeLessThanOrEqual(allowed);
  });

  it('has its debt struck off once the budget is met', async () => {
    if (ceiling?.now !== undefined) expect(await size).toBeGreaterThan(ceiling.bytes);
  });
}
