// Stands for `vitest` in the bundles: its runner and its `expect`, without the process around them.
export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFinished,
  test,
} from '@vitest/runner';
export { expect } from './expect.ts';
export { vi } from './vi.ts';
