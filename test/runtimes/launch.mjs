// Runs one bundle in a process of its own, on Node, Bun and Deno: launch.mjs <bundle> <where to write the outcome> <options>.
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [bundle = '', report = '', options = '{}'] = process.argv.slice(2);
const { default: run } = await import(pathToFileURL(bundle).href);
writeFileSync(report, JSON.stringify(await run(JSON.parse(options))));
// What tests left open must not keep it.
process.exit(0);
