// A drainable that is still open with nothing in flight, such as a server with idle connections, has lost nothing.

import { CancellationToken } from '@quiesce/cancellation-token';
import { type Drainable, drainable } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { formatLogEvent } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { start } from './vocabulary.ts';

/** A drainable that closes `ms` after `abort`. */
function open(names: readonly string[]) {
  return (ms: number, clock: Parameters<typeof sleep>[1]): Drainable => {
    const aborted = new CancellationToken();
    return drainable({
      name: 'http',
      inFlightCount: () => names.length,
      inFlightNames: () => names,
      stop: () => {},
      abort: (reason) => void aborted.cancel(reason),
      drain: async () => {
        await aborted.cancelled();
        await sleep(ms, clock);
      },
    });
  };
}

describe('a drainable with nothing in flight at drainTimeout', () => {
  it('is aborted, and is not cut off', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(open([])(20, { clock }));
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    expect(await end()).toMatchObject({ exitCode: 0, cutOff: [], unfinished: [] });
    expect(log).toEqual(['120 db']);
  });

  it('is cut off when it has not ended at the end of cancelTimeout', async () => {
    const { shutdown, clock, say, log, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(open([])(1_000, { clock }));
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['150 db']);
    expect(report).toMatchObject({ exitCode: 1, cutOff: [{ name: 'http', inFlightCount: 1 }] });
    expect(report.unfinished).toMatchObject([{ name: 'http' }]);
  });

  it('is not cut off together with a busy drainable, which is named', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add({ ...open([])(20, { clock }), name: 'idle' });
    shutdown.add(open(['GET /a', 'POST /b'])(20, { clock }));
    shutdown.request();
    expect(await end()).toMatchObject({
      exitCode: 1,
      cutOff: [{ name: 'http', inFlightCount: 2, names: ['GET /a', 'POST /b'] }],
    });
  });
});

describe('a drainable that names its work in flight', () => {
  it('has the names in the report, in the log, and in the list of unfinished work', async () => {
    const lines: string[] = [];
    const { shutdown, clock, end } = start({
      drainTimeout: 100,
      cancelTimeout: 50,
      logger: (event) => lines.push(formatLogEvent(event)),
    });
    shutdown.add(
      open(['GET /a', `GET /${'x'.repeat(5_000)}`, ...Array.from({ length: 20 }, () => 'GET /c')])(1_000, { clock }),
    );
    shutdown.request();
    const { unfinished } = await end();
    const line = lines.find((text) => text.includes('cut off'));
    expect(line).toContain('cut off: http (22 in flight): GET /a, GET /xxx');
    expect(line?.length).toBeLessThan(300);
    expect(unfinished[0]?.name).toContain('http (22 in flight): GET /a');
  });

  it('may throw from its `inFlightNames`', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add({
      ...open(['GET /a'])(20, { clock }),
      get inFlightNames(): never {
        throw new Error('mine');
      },
    });
    shutdown.request();
    expect((await end()).cutOff).toEqual([{ name: 'http', inFlightCount: 1 }]);
  });
});
