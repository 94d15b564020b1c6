// The package under each runner on this Node, and under one on Node 24.
import { allRunners, testRunners } from './under-runner.ts';

const major = Number.parseInt(process.versions.node, 10);

testRunners(major, allRunners);
if (major !== 24) testRunners(24, ['node:test']);
