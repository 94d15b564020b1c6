// The listings of the guide about real signals, threads, requests and garbage. Each runs in a process of its own.
import { type ClientRequest, request } from 'node:http';
import { connect, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { outputOf } from '../docs/listings.ts';
import { drive, type Script } from './shutdown/drive.ts';

const loader = fileURLToPath(new URL('../../docs/examples/guide/tsx-in-threads.mjs', import.meta.url));
const guide = '../../../docs/examples/guide/';

/** Removes numbers and repetitions: the number of rounds before the signal varies. */
function timeless(lines: readonly string[]): string[] {
  const plain = lines.map((line) =>
    line.replace(/iteration \d+/, 'iteration N').replace(/\d+ iterations/, 'N iterations'),
  );
  return plain.filter((line, index) => line !== plain[index - 1]);
}

describe('the signal flag', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('is set by a real %s, and the loop ends normally', async (signal) => {
    const { lines, code, killedBy } = await drive(`${guide}signal-flag`, [], [['processing iteration 2', signal]]);
    expect([code, killedBy]).toEqual([0, null]);
    const shown = outputOf('signal-flag').map((line) => line.replace('SIGINT', signal));
    expect(timeless(lines)).toEqual(timeless(shown));
    const rounds = lines.filter((line) => line.startsWith('processing')).length;
    expect(lines.at(-1)).toBe(`shutdown complete after ${rounds} iterations, because of ${signal}`);
  });

  it('is not set by SIGKILL, which cannot be caught', async () => {
    const { lines, killedBy } = await drive(`${guide}signal-flag`, [], [['processing iteration 1', 'SIGKILL']]);
    expect(killedBy).toBe('SIGKILL');
    expect(lines.filter((line) => /received|complete/.test(line))).toEqual([]);
  });
});

describe('the token example', () => {
  it('awaits the cleanup of every worker after a real SIGINT', async () => {
    const script: Script = [['worker 4: iteration 1', 'SIGINT']];
    const { lines, code, killedBy } = await drive(`${guide}cancellation-token`, [], script);
    expect([code, killedBy]).toEqual([0, null]);
    const shown = outputOf('cancellation-token');
    const ofAll = shown.filter((line) => !line.startsWith('worker'));
    expect(lines.filter((line) => !line.startsWith('worker'))).toEqual(ofAll);
    for (const id of [0, 1, 2, 3, 4]) {
      const own = (line: string): boolean => line.startsWith(`worker ${id}:`) || ofAll.includes(line);
      expect(timeless(lines.filter(own))).toEqual(
        timeless(shown.map((line) => line.replace('worker 0', `worker ${id}`))),
      );
    }
  });
});

describe('the thread pool', { timeout: 60_000 }, () => {
  it('reaches a computing thread, finishes queued work, and joins its threads', async () => {
    const { lines, stderr, code } = await drive(`${guide}thread-pool`, [], [], { loader });
    expect([stderr, code]).toEqual(['', 0]);
    expect(lines).toEqual(outputOf('thread-pool'));
  });
});

describe('the forgotten guard', () => {
  it('is named, with the place where it was made, and is no longer awaited', async () => {
    const { lines, code } = await drive(`${guide}forgotten-guard`, [], [], { node: ['--expose-gc'] });
    expect(code).toBe(0);
    expect(lines).toEqual(outputOf('forgotten-guard'));
  });
});

/** Makes a request whose body ends when the test says so. */
class Upload {
  readonly #request: ClientRequest;
  readonly answer: Promise<string>;

  constructor(port: number) {
    const sent = request({ port, method: 'POST', agent: false });
    this.answer = new Promise((resolve, reject) => {
      sent.on('error', reject).on('response', async (response) => {
        const chunks = await response.setEncoding('utf8').toArray();
        resolve(`${response.statusCode} ${response.headers.connection}: ${chunks.join('').trim()}`);
      });
    });
    sent.write('1234');
    this.#request = sent;
  }

  async end(): Promise<string> {
    this.#request.end('5678');
    return this.answer;
  }
}

/** Returns the bytes of a socket until its end, or the error. */
function received(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    socket.on('close', () => resolve(text));
  });
}

describe('the HTTP server', () => {
  it('serves requests in flight at a real SIGTERM, answers 503 on an open connection, and refuses new ones', async () => {
    const uploads: Upload[] = [];
    let port = 0;
    let open = new Socket();
    let end: Promise<unknown[]> | undefined;
    const finish = async (): Promise<unknown[]> => {
      open.write('\r\n');
      const [late, newcomer] = [await received(open), await received(connect(port))];
      const answers: string[] = [];
      for (const upload of uploads) answers.push(await upload.end());
      return [late.split('\r\n')[0], late.includes('Retry-After'), newcomer, ...answers];
    };
    const { lines, code, killedBy } = await drive(
      `${guide}http-server`,
      [],
      [
        [
          'listening on',
          (_child, stdout) => {
            port = Number(/:(\d+)$/m.exec(stdout)?.[1]);
            // The connection is open, and its request has not arrived: its head is incomplete.
            open = connect(port).setNoDelay();
            open.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
            uploads.push(new Upload(port));
          },
        ],
        ['request 0 processing', () => void uploads.push(new Upload(port))],
        ['request 1 processing', 'SIGTERM'],
        [
          'new requests are refused',
          () => {
            end = finish();
          },
        ],
      ],
    );
    expect(await end).toEqual([
      ...['HTTP/1.1 503 Service Unavailable', true, 'ECONNREFUSED'],
      ...['200 close: request 0: got 8 bytes', '200 close: request 1: got 8 bytes'],
    ]);
    expect([code, killedBy]).toEqual([0, null]);
    expect(lines).toEqual(outputOf('http-server').map((line) => line.replace('8080', String(port))));
  });
});
