// docs/runtimes.md is written by `npm run runtimes`; it has to say of each runtime that all is green there.
import { describe, expect, it } from 'vitest';
import { reasonsOnPage, rowsOnPage } from '../runtimes/doc.ts';
import { runtimes } from '../runtimes/runtimes.ts';

const rows = rowsOnPage();

describe('the table of docs/runtimes.md', () => {
  it('has a line of each runtime, in order', () => {
    expect(rows.map(([name]) => name)).toEqual(runtimes.map(({ name }) => name));
  });

  it('is green', () => {
    const red = rows.filter(([, , , , failed]) => failed !== '0').map(([name]) => name);
    expect(red).toEqual([]);
  });

  it('leaves no test out: what did not pass was skipped, with a reason', () => {
    // Node has all of them. An error outside of a test that is known, and excused, counts as one more.
    const [[, , , all] = []] = rows;
    for (const [name, , , passed, , skipped] of rows) {
      expect(Number(passed) + Number(skipped), name).toBeGreaterThanOrEqual(Number(all));
    }
  });

  it.each(runtimes)('says of $name which version ran when', ({ name, using: own }) => {
    const [, version = '', using, passed, , , date = ''] = rows.find(([first]) => first === name) ?? [];
    expect(version).toMatch(/^\d+[.-]\d+/);
    expect(using).toBe(own);
    expect(Number(passed)).toBeGreaterThan(1_000);
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it.each(runtimes)('says of $name why as many were skipped as it counts', ({ id, name }) => {
    const [, , , , , skipped] = rows.find(([first]) => first === name) ?? [];
    const reasons = reasonsOnPage(id);
    expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(Number(skipped));
    for (const { why } of reasons) expect(why).toMatch(/\w{2,}/);
  });
});
