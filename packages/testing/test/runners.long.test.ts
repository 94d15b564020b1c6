// The package on Node 24 under the runners that a slow test runs on this Node.
import { allRunners, testRunners } from './under-runner.ts';

testRunners(
  24,
  allRunners.filter((name) => name !== 'node:test'),
);
