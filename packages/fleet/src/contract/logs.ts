import type { FleetRecord } from '../engine.ts';
import type { ContractCase } from '../engine-contract.ts';
import { demand, demandSame, idsOf, inWorld, odd, RETENTION, randomHex, readAll, records, until } from './world.ts';

const E1 = 'E1: append is idempotent by id';
const E2 = 'E2: a read that begins after an append returns its records, on any connection';
const E3 = 'E3: read is a function of its cursor';
const WHOLE = 'E3: the first read is whole, and no other while nothing is lost';
const PAGES = 'E3: pages lose nothing and repeat nothing';
const E4 = "E4: left is counted by the engine's clock";

/** The cases of `append` and `read`, and of `connect`. */
export const logCases: readonly ContractCase[] = [
  {
    name: 'E1: a second record of the same log and id changes nothing',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const log = odd('asker');
        const [first] = records('cancels', 'c', 1) as [FleetRecord];
        const other = { ...first, body: 'another body', ttl: 30_000 };
        await connection.append([first]);
        const { cursor } = await readAll(connection, 'cancels');
        await connection.append([other]);
        await connection.append([other, { ...other, log }, { ...other, log, body: 'twice in one batch' }]);
        const later = await readAll(connection, 'cancels', cursor);
        demandSame(idsOf(later.records), [], `${E1}: a repetition is no new record`);
        const bodies = async (of: string): Promise<string[]> =>
          (await readAll(connection, of)).records.map(({ body }) => body);
        demandSame(await bodies('cancels'), [first.body], `${E1}: the first body stays`);
        demandSame(await bodies(log), [other.body], `${E1}: another log has its own ids`);
      }),
  },
  {
    name: 'E1: a batch over several logs is stored as a whole, or not at all',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const logs = ['cancels', odd('a'), odd('b')];
        await connection.append(logs.flatMap((log) => records(log, 'all', 3)));
        for (const log of logs) {
          const { records } = await readAll(connection, log);
          demandSame(idsOf(records), ['all0', 'all1', 'all2'], `E1: a batch has records in ${log}`);
        }
        // Some engines refuse these. A refused batch must have left nothing.
        const batches = [
          records('cancels', 'many', 501),
          ['\0', '\ud800'].flatMap((end, i) => {
            const [last] = records(odd('b'), `odd${i}x`, 1) as [FleetRecord];
            return [...records('cancels', `odd${i}`, 2), { ...last, body: `text${end}` }];
          }),
        ];
        for (const batch of batches) {
          const isStored = await connection.append(batch).then(
            () => true,
            () => false,
          );
          const wanted = new Set(batch.map(({ log, id }) => `${log} ${id}`));
          const found: string[] = [];
          for (const log of logs) {
            const { records } = await readAll(connection, log);
            found.push(...records.map(({ id }) => `${log} ${id}`).filter((name) => wanted.has(name)));
          }
          demandSame(
            found,
            isStored ? wanted : [],
            `E1: an append that ${isStored ? 'fulfils stores all' : 'rejects stores nothing'}`,
          );
        }
      }),
  },
  {
    name: 'E1: bodies arrive unchanged',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const bodies = ['', '\n', `\\u0000 \\ $1 ' " {{}} %s ü 🎉 \u2028 ${randomHex(8)}`, 'ü'.repeat(9_000)];
        await connection.append(bodies.map((body, i) => ({ log: 'cancels', id: odd(`${i}`), body, ttl: 60_000 })));
        const { records } = await readAll(connection, 'cancels');
        demandSame(
          idsOf(records),
          bodies.map((_, i) => odd(`${i}`)),
          'E1: ids arrive unchanged',
        );
        demandSame(
          records.map(({ body }) => body),
          bodies,
          'E1: bodies arrive unchanged',
        );
      }),
  },
  {
    name: 'E2: a record is read at once on another connection',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [writer, reader] = await Promise.all([connect(), connect()]);
        let cursor: unknown;
        for (let i = 0; i < 50; i++) {
          await writer.append(records('cancels', `${i}-`, 1));
          const chain = await readAll(reader, 'cancels', cursor);
          demandSame(idsOf(chain.records), [`${i}-0`], E2);
          cursor = chain.cursor;
        }
      }),
  },
  {
    name: 'E2: parallel appends are read exactly once along a chain of cursors',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b, reader] = await Promise.all([connect(), connect(), connect()]);
        const batches = Array.from({ length: 50 }, (_, i) => records('cancels', `${i}-`, 1 + (i % 5)));
        let isWritten = false;
        const writing = Promise.all(batches.map((batch, i) => (i % 2 === 0 ? a : b).append(batch))).finally(() => {
          isWritten = true;
        });
        writing.catch(() => {});
        const seen: string[] = [];
        let cursor: unknown;
        for (let isLast = false; !isLast; ) {
          isLast = isWritten;
          const chain = await readAll(reader, 'cancels', cursor);
          demand(chain.wholeCount === (cursor === undefined ? 1 : 0), WHOLE, chain.wholeCount);
          seen.push(...idsOf(chain.records));
          cursor = chain.cursor;
        }
        await writing;
        demandSame(seen, idsOf(batches.flat()), `${E2}, exactly once`);
      }),
  },
  {
    name: 'E3: a read from the same cursor returns the same, whatever other reads have returned',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const read = async (after: unknown, expected: string[]): Promise<unknown> => {
          const chain = await readAll(connection, 'cancels', after);
          demandSame(idsOf(chain.records), expected, E3);
          demand(chain.wholeCount === (after === undefined ? 1 : 0), WHOLE, { whole: chain.wholeCount > 0, after });
          return chain.cursor;
        };
        const empty = await read(undefined, []);
        await read(empty, []);
        await connection.append(records('cancels', 'a', 1));
        // This answer stands for one that came too late: its cursor is dropped.
        await read(empty, ['a0']);
        const one = await read(empty, ['a0']);
        await connection.append(records('cancels', 'b', 2));
        const three = await read(one, ['b0', 'b1']);
        await read(three, []);
        await read(one, ['b0', 'b1']);
        await read(empty, ['a0', 'b0', 'b1']);
        await read(undefined, ['a0', 'b0', 'b1']);
        await Promise.all([read(empty, ['a0', 'b0', 'b1']), read(three, []), read(one, ['b0', 'b1'])]);
      }),
  },
  {
    name: 'E3: an empty log is whole at the first read only',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        for (const log of ['cancels', odd('a')]) {
          const first = await connection.read(log, undefined);
          demand(first.whole && !first.more && first.records.length === 0, WHOLE, first);
          let { cursor } = first;
          for (let i = 0; i < 3; i++) {
            const next = await connection.read(log, cursor);
            demand(!next.whole && !next.more && next.records.length === 0, WHOLE, next);
            cursor = next.cursor;
          }
        }
      }),
  },
  ...[501, 1_200].map(
    (count): ContractCase => ({
      name: `E3: ${count} records are read in pages of at most 500`,
      run: (engine) =>
        inWorld(engine, async ({ connect }) => {
          const connection = await connect();
          const start = (await readAll(connection, 'cancels')).cursor;
          const all = records('cancels', 'r', count);
          for (let i = 0; i < count; i += 500) await connection.append(all.slice(i, i + 500));
          for (const after of [undefined, start]) {
            const chain = await readAll(connection, 'cancels', after);
            demandSame(idsOf(chain.records), idsOf(all), PAGES);
            demand(chain.wholeCount === (after === undefined ? 1 : 0), WHOLE, chain.wholeCount);
            demand(chain.pageCount === Math.ceil(count / 500), PAGES, `${chain.pageCount} pages`);
            const next = await readAll(connection, 'cancels', chain.cursor);
            demandSame(idsOf(next.records), [], PAGES);
          }
        }),
    }),
  ),
  {
    name: 'E3: a record that is stored between two pages is read once',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        await connection.append(records('cancels', 'a', 500));
        await connection.append(records('cancels', 'b', 100));
        const first = await connection.read('cancels', undefined);
        demand(first.whole && first.more, WHOLE, { whole: first.whole, more: first.more });
        await connection.append(records('cancels', 'late', 3));
        const rest = await readAll(connection, 'cancels', first.cursor);
        const again = await readAll(connection, 'cancels', first.cursor);
        const end = await readAll(connection, 'cancels', rest.cursor);
        demand(rest.wholeCount + again.wholeCount + end.wholeCount === 0, WHOLE, 'a later page that is whole');
        const expected = idsOf([...records('', 'a', 500), ...records('', 'b', 100), ...records('', 'late', 3)]);
        demandSame(idsOf([...first.records, ...rest.records, ...end.records]), expected, PAGES);
        const other = await readAll(connection, 'cancels', again.cursor);
        demandSame(idsOf([...first.records, ...again.records, ...other.records]), expected, PAGES);
      }),
  },
  {
    name: 'E4: left falls from ttl, and an expired record is gone',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const { cursor } = await readAll(connection, 'cancels');
        await connection.append([...records('cancels', 'long', 1), ...records('cancels', 'short', 1, 1_000)]);
        let least = Number.POSITIVE_INFINITY;
        for (const after of [undefined, cursor]) {
          await until(`${E4}: a record is gone after its ttl`, async () => {
            const { records } = await readAll(connection, 'cancels', after);
            const left = new Map(records.map((record) => [record.id, record.left]));
            const [long, short] = [left.get('long0') ?? Number.NaN, left.get('short0')];
            demand(long > 0 && long <= 60_000, `${E4}, from 60,000 to 0`, long);
            demand(short === undefined || (short > 0 && short <= 1_000), `${E4}, from 1,000 to 0`, short);
            if (short !== undefined) least = Math.min(least, long);
            return short === undefined ? long : undefined;
          });
        }
        const { records: kept } = await readAll(connection, 'cancels', cursor);
        demand((kept[0]?.left ?? Number.NaN) < least, `${E4}: left falls`, { before: least, after: kept[0]?.left });
      }),
  },
  {
    name: 'the inbox of a member has its records and no others',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b] = await Promise.all([connect(), connect()]);
        // Each of these names is the beginning of the next.
        const logs = [odd('a'), odd('a').concat('1'), odd('a').concat('10')];
        await a.append(logs.flatMap((log, i) => records(log, `to${i}-`, 2)));
        for (const [i, log] of logs.entries()) {
          const { records: own, cursor } = await readAll(b, log);
          demandSame(idsOf(own), [`to${i}-0`, `to${i}-1`], 'An inbox has its own records');
          await a.append(records(log, `later${i}-`, 1));
          demandSame(idsOf((await readAll(b, log, cursor)).records), [`later${i}-0`], E2);
        }
        demandSame(idsOf((await readAll(b, 'cancels')).records), [], 'No record of an inbox is a cancel');
      }),
  },
  {
    name: 'namespaces share nothing',
    run: (engine) =>
      inWorld(engine, async ({ connect, namespace }) => {
        const [one, other] = await Promise.all([connect(), connect(`${namespace}_2`)]);
        const slot = { name: 'slot', holder: 'h', ttl: 60_000, permits: 1 };
        await one.append([...records('cancels', 'c', 1), ...records('member', 'i', 1)]);
        await one.meet({ id: 'member', ttl: 60_000, keep: 60_000 });
        await one.hold(slot);
        for (const log of ['cancels', 'member']) {
          demandSame(idsOf((await readAll(other, log)).records), [], 'A namespace has its own records');
        }
        demandSame(idsOf(await other.meet(undefined)), [], 'A namespace has its own members');
        const answer = await other.hold({ ...slot, holder: 'other' });
        demand('fence' in answer, 'A namespace has its own slots', answer);
        await other.append(records('cancels', 'c', 1));
        demandSame(idsOf((await readAll(other, 'cancels')).records), ['c0'], 'A namespace has its own ids');
      }),
  },
  {
    name: 'connect refuses another retention than the stored one',
    run: (engine) =>
      inWorld(engine, async ({ connect, namespace }) => {
        await connect();
        await connect();
        const other = 2 * RETENTION;
        const refusal: unknown = await engine.connect(namespace, other, { requestTimeout: 10_000 }).then(
          () => 'a connection',
          (error: unknown) => error,
        );
        const text = refusal instanceof RangeError ? refusal.message.replaceAll(/(?<=\d)[,_ ](?=\d)/g, '') : '';
        const isNamed = text.includes(`${other}`) && text.includes(`${RETENTION}`);
        demand(isNamed, `Another retention is a RangeError that names ${RETENTION} and ${other}`, String(refusal));
        await connect();
      }),
  },
];
