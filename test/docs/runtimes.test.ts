// docs/runtimes.md is written by `npm run runtimes`; it has to say of each runtime that all is green there, or what is open.
import { describe, expect, it } from 'vitest';
import { openOnPage, reasonsOnPage, rowsOnPage } from '../runtimes/doc.ts';
import { runtimes } from '../runtimes/runtimes.ts';

const rows = rowsOnPage();
const open = openOnPage();
const run = runtimes.filter(({ name }) => rows.some(([first]) => first === name));

describe('the table of docs/runtimes.md', () => {
  it('has its lines in the order of the runtimes, none twice', () => {
    expect(rows.map(([name]) => name)).toEqual(run.map(({ name }) => name));
  });

  it('is green for all but those that the page names as open, which are not', () => {
    const green = rows.filter(([, , , , failed]) => failed === '0').map(([name]) => name);
    const names = runtimes.map(({ name }) => name);
    expect(open.map(({ name }) => name)).toEqual(names.filter((name) => !green.includes(name)));
    for (const { why } of open) expect(why).toMatch(/\w{2,}/);
  });

  it('says of an open one how many tests have failed', () => {
    for (const { name, why } of open) {
      const [, , , , failed] = rows.find(([first]) => first === name) ?? [];
      if (failed !== undefined) expect(why).toContain(`${failed} test`);
    }
  });

  it.each(run)('says of $name which version ran when', ({ name, kind }) => {
    const [, version = '', using, passed, , , date = ''] = rows.find(([first]) => first === name) ?? [];
    expect(version).toMatch(/^\d+[.-]\d+/);
    expect(using).toBe(kind.target === 'esnext' ? 'native' : 'lowered');
    expect(Number(passed)).toBeGreaterThan(1_000);
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it.each(run)('says of $name why as many were skipped as it counts', ({ id, name }) => {
    const [, , , , , skipped] = rows.find(([first]) => first === name) ?? [];
    const reasons = reasonsOnPage(id);
    expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(Number(skipped));
    for (const { why } of reasons) expect(why).toMatch(/\w{2,}/);
  });
});
