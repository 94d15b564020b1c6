import { expect, it, onTestFinished } from 'vitest';

// This file must not import the package before: a module is loaded once.
it('the package throws an explanation when it is loaded without Node', async () => {
  const { getBuiltinModule } = process;
  onTestFinished(() => void Object.assign(process, { getBuiltinModule }));
  Object.assign(process, { getBuiltinModule: undefined });
  await expect(import('@quiesce/http-drain')).rejects.toThrow(
    'drains the HTTP servers of Node and cannot be loaded elsewhere',
  );
});
