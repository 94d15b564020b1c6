// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { trace } from '@opentelemetry/api';
import { traced, tracedScope, traceShutdown } from '@quiesce/adapters/opentelemetry';
import { Shutdown } from '@quiesce/shutdown';

async function main(): Promise<void> {
  const tracer = trace.getTracer('shop');
  const shutdown = new Shutdown();
  let isFlushed = false;
  traceShutdown(shutdown, {
    tracer,
    flush: () => {
      isFlushed = true;
    },
  });
  const page = await tracedScope(
    'page',
    async (s) => `Hello, ${await s.spawn(traced('load user', async (token) => String(token.isCancelled)))}`,
    { tracer, timeout: 1_000 },
  );
  shutdown.request('deploy');
  await shutdown.stopped();
  if (page !== 'Hello, false' || !isFlushed) throw new Error(`the page was ${page}, flushed: ${isFlushed}`);
}

void main();
