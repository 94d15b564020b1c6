// `npm run runtimes` writes docs/runtimes.md. The page has to show that every runtime passes.
import { describe, expect, it } from 'vitest';
import { reasonsOnPage, rowsOnPage } from '../runtimes/doc.ts';
import { runtimes } from '../runtimes/runtimes.ts';

const rows = rowsOnPage();

describe('the table of docs/runtimes.md', () => {
  it('has a row for each runtime, in order', () => {
    expect(rows.map(([name]) => name)).toEqual(runtimes.map(({ name }) => name));
  });

  it('shows no failure', () => {
    const red = rows.filter(([, , , , failed]) => failed !== '0').map(([name]) => name);
    expect(red).toEqual([]);
  });

  it('leaves out no test: each one passed, or was skipped for a reason', () => {
    // Node runs all tests. A known and excused error outside of tests counts as one more.
    const [[, , , all] = []] = rows;
    for (const [name, , , passed, , skipped] of rows) {
      expect(Number(passed) + Number(skipped), name).toBeGreaterThanOrEqual(Number(all));
    }
  });

  it.each(runtimes)('shows which version of $name ran, and when', ({ name, using: own }) => {
    const [, version = '', using, passed, , , date = ''] = rows.find(([first]) => first === name) ?? [];
    expect(version).toMatch(/^\d+[.-]\d+/);
    expect(using).toBe(own);
    expect(Number(passed)).toBeGreaterThan(1_000);
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it.each(runtimes)('gives the reasons for all skipped tests of $name', ({ id, name }) => {
    const [, , , , , skipped] = rows.find(([first]) => first === name) ?? [];
    const reasons = reasonsOnPage(id);
    expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(Number(skipped));
    for (const { why } of reasons) expect(why).toMatch(/\w{2,}/);
  });
});
