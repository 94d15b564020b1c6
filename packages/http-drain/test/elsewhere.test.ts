import { expect, it, onTestFinished, vi } from 'vitest';

it('loaded where there is no Node, says so in words', async () => {
  const { getBuiltinModule } = process;
  // Other files may have loaded the package before, and must not get the module that failed.
  vi.resetModules();
  onTestFinished(() => {
    Object.assign(process, { getBuiltinModule });
    vi.resetModules();
  });
  Object.assign(process, { getBuiltinModule: undefined });
  await expect(import('@quiesce/http-drain')).rejects.toThrow(
    'drains the HTTP servers of Node and cannot be loaded elsewhere',
  );
});
