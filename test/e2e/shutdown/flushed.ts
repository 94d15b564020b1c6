// A program that ends with much still to be written to stdout: `flushed.ts <options as JSON>`.
import { type RunMainOptions, runMain } from '@quiesce/shutdown';

const [json = '{}'] = process.argv.slice(2);
const { flushTimeout } = JSON.parse(json) as { readonly flushTimeout: number | null };
// JSON knows no Infinity.
const options: RunMainOptions = { flushTimeout: flushTimeout ?? Number.POSITIVE_INFINITY };

await runMain(() => void process.stdout.write('x'.repeat(1_000_000)), options);
