// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancellationToken } from '@quiesce/cancellation-token';
import { deadlineFetch, extractDeadline, injectDeadline } from '@quiesce/http-deadline';

async function main(): Promise<void> {
  const token = CancellationToken.timeout(60_000);
  const headers: { accept: string } & Record<string, string> = injectDeadline({ accept: 'x' }, token, {
    margin: 1_000,
  });
  const far: CancellationToken = extractDeadline(headers, { maxTimeout: 30_000 });
  if (far.timeLeft === undefined || far.timeLeft > 30_000) throw new Error(`${far.timeLeft} ms are left`);
  const send: typeof fetch = async (_input, init) => new Response(new Headers(init?.headers).get('grpc-timeout'));
  const get = deadlineFetch(send, { header: 'grpc-timeout' });
  const response = await get('https://example.com', { signal: token.signal });
  if (!/^\d{1,5}m$/.test(await response.text())) throw new Error('the header is missing');
}

void main();
