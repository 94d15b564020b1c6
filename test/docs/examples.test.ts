import { format } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { packageFences as fences } from './fences.ts';
import { fileOf, outputFolder, writeModules } from './modules.ts';

const output = outputFolder('examples');
const { Request, Response } = globalThis;
const platform = { Request, Response };

/** Examples of child processes unreference the channel to the parent, which is the test runner's own channel here. */
afterEach(() => {
  process.channel?.ref();
  // `@hono/node-server` replaces them.
  for (const [name, value] of Object.entries(platform)) Object.defineProperty(globalThis, name, { value });
});

describe('the examples in docstrings and READMEs', () => {
  beforeAll(() => {
    writeModules(output, fences);
  });

  it('exist', () => {
    expect(fences.length).toBeGreaterThan(20);
    expect(fences.filter((fence) => fence.promised.length > 0).length).toBeGreaterThan(20);
  });

  it.each(fences)('$place prints the promised output', async (fence) => {
    const { printed } = (await import(fileOf(output, fence))) as { printed: unknown[][] };
    expect(printed.map((values) => format(...values))).toEqual(fence.promised);
  });
});
