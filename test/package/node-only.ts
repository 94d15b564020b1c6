// Fails when a package needs Node and does not say so, or says so and does not: for every package, or for the folders given.
import { resolve } from 'node:path';
import { nodeProblems } from './node-modules.ts';
import { publicPackages, readPackageAt } from './packages.ts';

const folders = process.argv.slice(2);
const packages = folders.length === 0 ? publicPackages() : folders.map((folder) => readPackageAt(resolve(folder)));
for (const found of packages) {
  const problems = await nodeProblems(found);
  for (const problem of problems) console.log(`  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
