import { styleText } from 'node:util';

/** Colour on a terminal, plain text elsewhere. */
export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY ? styleText(style, text) : text;
}

/** The margin of a line: the ms since the start of the demo, as seconds. */
export function stamp(at: number): string {
  return paint('dim', `${(at / 1000).toFixed(2).padStart(6)} s │`);
}
