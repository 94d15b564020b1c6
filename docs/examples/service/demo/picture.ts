// Draws the picture of the README: the output of the demo on a terminal, as SVG.
//
//   node --conditions=built --import tsx docs/examples/service/demo/picture.ts     writes docs/examples/service/demo.svg

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { runDemo } from './run.ts';

const ESCAPE = '\u001b';
const WIDTH = 8.4;
const HEIGHT = 20;
const MARGIN = 20;
const BACKGROUND = '#0d1117';
const FOREGROUND = '#c9d1d9';

/** The style of each terminal code that starts one. */
const styles: Record<string, string> = {
  '1': 'font-weight="bold"',
  '2': 'opacity="0.55"',
  '31': 'fill="#ff7b72"',
  '32': 'fill="#56d364"',
  '33': 'fill="#e3b341"',
  '36': 'fill="#39c5cf"',
};
const ends: Record<string, readonly string[]> = { '22': ['1', '2'], '39': ['31', '32', '33', '36'] };

/** Returns the final lines of a terminal: a line that was overwritten has its last text. */
function screenOf(written: string): string[] {
  return written.split('\n').map((line) => line.split(`\r${ESCAPE}[K`).at(-1) ?? '');
}

/** Draws lines with their colours. */
function draw(lines: readonly string[]): string {
  const columns = Math.max(...lines.map((line) => stripVTControlCharacters(line).length));
  const width = Math.ceil(columns * WIDTH + 2 * MARGIN);
  const height = lines.length * HEIGHT + 2 * MARGIN;
  const rows = lines.map((line, row) => {
    return `<text x="${MARGIN}" y="${MARGIN + 14 + row * HEIGHT}" xml:space="preserve">${spansOf(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    '<title>What npm run demo shows on a terminal</title>',
    `<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="${FOREGROUND}">`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Returns the lines of a picture as text. */
export function linesOf(svg: string): string[] {
  return [...svg.matchAll(/<text [^>]*>(.*)<\/text>/g)].map(([, inner = '']) => {
    return inner
      .replace(/<[^>]+>/g, '')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
  });
}

/** Returns the part that all good runs share: each line without its numbers, and without lines that depend on timing. */
export function shapeOf(lines: readonly string[]): string[] {
  const shapes = lines
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    // The countdown and its details: a log has more of them than a terminal, and a fast run has fewer.
    .filter((line) => !/service (draining|stopping|cleanup)\b/.test(line))
    .map((line) =>
      line
        .replace(/[\d,.]+ m?s\b/g, 'TIME')
        .replace(/\d[\d,.]*/g, 'N')
        .replace(/ {2,}/g, '  '),
    );
  // Hooks are listed by their duration.
  const hooks = shapes.filter((line) => line.includes('  hook ')).sort();
  return shapes.map((line) => (line.includes('  hook ') ? String(hooks.shift()) : line));
}

function spansOf(line: string): string {
  const open = new Set<string>();
  let spans = '';
  for (const piece of `0m${line}`.split(`${ESCAPE}[`)) {
    const [, code = '', text = ''] = /^(\d+)m(.*)$/.exec(piece) ?? [];
    for (const ended of ends[code] ?? []) open.delete(ended);
    if (styles[code] !== undefined) open.add(code);
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    if (escaped === '') continue;
    const how = [...open].map((one) => styles[one]).join(' ');
    spans += how === '' ? escaped : `<tspan ${how}>${escaped}</tspan>`;
  }
  return spans;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let written = '';
  const plan = { seconds: 8, connections: 300, isWithout: false, fault: undefined };
  const terminal = {
    isTTY: true,
    write: (text: string) => {
      written += text;
      process.stdout.write(text);
    },
  };
  if (!(await runDemo(plan, terminal))) throw new Error('a run with a loss makes no picture');
  const lines = screenOf(written);
  while (lines.at(-1)?.trim() === '') lines.pop();
  while (lines[0]?.trim() === '') lines.shift();
  writeFileSync(new URL('../demo.svg', import.meta.url), draw(lines));
}
