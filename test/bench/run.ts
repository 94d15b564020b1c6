// `npm run bench`, `npm run bench -- token`, `npm run bench -- select --json figures.json`.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Figure, measure, type Row } from './harness.ts';

const files = ['token', 'select', 'broadcast', 'scope'] as const;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
const unknown = positionals.filter((name) => !files.some((file) => file === name));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${files.join(', ')}`);
  process.exit(2);
}

function print(figures: readonly Figure[]): void {
  console.log(`\n  ${figures[0]?.name}`);
  for (const [index, { subject, value, ratio }] of figures.entries()) {
    const compared = index === 0 ? '' : `${ratio.toFixed(2).padStart(9)} × ours`;
    console.log(`    ${subject.padEnd(52)}${value.toFixed(1).padStart(11)} ns${compared}`);
  }
}

console.log(
  `Quiesce on node ${process.versions.node}, ${process.platform} ${process.arch}: medians, for one piece of work`,
);
const all: Figure[] = [];
for (const file of files) {
  if (positionals.length > 0 && !positionals.includes(file)) continue;
  const { rows } = (await import(`./${file}.ts`)) as { rows: readonly Row[] };
  for (const row of rows) {
    const figures = await measure(row);
    print(figures);
    all.push(...figures);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
