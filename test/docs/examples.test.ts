import { format } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { packageFences as fences } from './fences.ts';
import { fileOf, outputFolder, writeModules } from './modules.ts';

const output = outputFolder('examples');

/** Examples of child processes let go of the channel to the parent, which here is what keeps the tests' own process. */
afterEach(() => {
  process.channel?.ref();
});

describe('the examples in docstrings and READMEs', () => {
  beforeAll(() => {
    writeModules(output, fences);
  });

  it('are there', () => {
    expect(fences.length).toBeGreaterThan(20);
    expect(fences.filter((fence) => fence.promised.length > 0).length).toBeGreaterThan(20);
  });

  it.each(fences)('$place prints what it promises', async (fence) => {
    const { printed } = (await import(fileOf(output, fence))) as { printed: unknown[][] };
    expect(printed.map((values) => format(...values))).toEqual(fence.promised);
  });
});
