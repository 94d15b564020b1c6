// docs/runtimes.md is written by `npm run runtimes`; what stands there has to be a whole, green table.
import { describe, expect, it } from 'vitest';
import { reasonsOnPage, rowsOnPage } from '../runtimes/doc.ts';
import { runtimes } from '../runtimes/runtimes.ts';

describe('the table of docs/runtimes.md', () => {
  it('has one line for each runtime, in their order', () => {
    expect(rowsOnPage().map(([name]) => name)).toEqual(runtimes.map(({ name }) => name));
  });

  it.each(runtimes)('says of $name which version ran when, and that nothing failed', ({ name, kind }) => {
    const [, version = '', using, passed, failed, , date = ''] = rowsOnPage().find(([first]) => first === name) ?? [];
    expect(version).toMatch(/^\d+[.-]\d+/);
    expect(using).toBe(kind.target === 'esnext' ? 'native' : 'lowered');
    expect(Number(passed)).toBeGreaterThan(1_000);
    expect(failed).toBe('0');
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it('accounts for the same tests on each of them: what did not pass was skipped, and nothing got lost', () => {
    const sums = rowsOnPage().map(([, , , passed, failed, skipped]) => Number(passed) + Number(failed) + Number(skipped));
    expect(new Set(sums).size).toBe(1);
  });

  it.each(runtimes)('says of $name why as many were skipped as it counts', ({ id, name }) => {
    const [, , , , , skipped] = rowsOnPage().find(([first]) => first === name) ?? [];
    const reasons = reasonsOnPage(id);
    expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(Number(skipped));
    for (const { why } of reasons) expect(why).toMatch(/\w{2,}/);
  });
});
