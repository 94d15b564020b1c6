// Checks every packed package against package.json (publint) and against the resolution of TypeScript (attw). One process checks
// all packages: most of the time of a process goes into loading a compiler and its libraries.
import { readFileSync } from 'node:fs';
import { checkPackage, createPackageFromTarballData, type Problem } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packAll, tarballOf } from './pack.ts';
import { publicPackages } from './packages.ts';

packAll();
for (const found of publicPackages()) {
  const tarball = Uint8Array.from(readFileSync(tarballOf(found)));
  const problems = [...(await problemsOfPublint(tarball)), ...(await problemsOfAttw(tarball))];
  for (const problem of problems) console.log(`  ${found.manifest.name}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`  ${found.manifest.name}: publint and attw find nothing`);
}

async function problemsOfPublint(tarball: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
  const errors = messages.filter(({ type }) => type === 'error');
  return errors.map((message) => `publint: ${formatMessage(message, pkg) ?? message.code}`);
}

async function problemsOfAttw(tarball: Uint8Array): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (!analysis.types) return ['attw: the package has no types'];
  return analysis.problems.filter(isRelevant).map((problem) => `attw: ${JSON.stringify(problem)}`);
}

/** The resolution of Node 10 knows no subpaths, and such an old Node is not supported. */
function isRelevant(problem: Problem): boolean {
  return !('resolutionKind' in problem && problem.resolutionKind === 'node10');
}
