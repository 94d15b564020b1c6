// The measured process. Without arguments it lists its rows; with the number of a row, it measures that row.

import { measure, type Row } from './harness.ts';

export async function serve(rows: readonly Row[]): Promise<void> {
  const index = process.argv[2];
  const row = rows[Number(index)];
  const answer = index === undefined ? rows.map(({ name }) => name) : row && (await measure(row));
  if (process.send === undefined) throw new Error('this is started by `npm run bench`');
  process.send(answer, () => process.exit());
}
