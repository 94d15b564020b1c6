// A program that ends with much output still unwritten: `flushed.ts <options as JSON>`.
import { type RunMainOptions, runMain } from '@quiesce/shutdown';

const [json = '{}'] = process.argv.slice(2);
const { flushTimeout, fails } = JSON.parse(json) as { readonly flushTimeout?: number | null; readonly fails?: boolean };
// JSON cannot represent Infinity.
const options: RunMainOptions = { flushTimeout: flushTimeout === null ? Number.POSITIVE_INFINITY : flushTimeout };

await runMain((_, shutdown) => {
  process.stdout.write('x'.repeat(1_000_000));
  if (fails === true) void shutdown.stopped().then(() => setImmediate(() => JSON.parse('{')));
}, options);
