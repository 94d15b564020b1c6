// What the packages ask of Node: a package that does has to declare it in its package.json, subpath by subpath, as
// `"quiesce": { "nodeOnly": ["."] }`. Everything else runs everywhere; what it uses of Node if it is there, and does without
// otherwise, stands under `nodeIfThere`, and is asked for by `process?.getBuiltinModule?.(…)`.
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { nodeOnly, nodeOnlyEntries, type Package, root } from './packages.ts';

/** Importing one of these is asking for Node as well. */
const nodeOnlyOfOurs: readonly string[] = nodeOnlyEntries();

/** What is wrong with the declarations of one package, in sentences. */
export async function nodeProblems(found: Package): Promise<string[]> {
  const { manifest, entries } = found;
  const declared = nodeOnly(found);
  const problems: string[] = [];
  for (const subpath of declared) {
    if (!entries.has(subpath))
      problems.push(`${manifest.name} declares "${subpath}" as Node-only, which it does not export`);
  }
  if (declared.length > 0 && manifest.engines?.node === undefined) {
    problems.push(`${manifest.name} has Node-only parts, and its engines do not say which Node`);
  }
  for (const [subpath, source] of entries) {
    const uses = await usesOfNode(found, source);
    if (declared.includes(subpath)) {
      if (uses.length === 0)
        problems.push(`${manifest.name} declares "${subpath}" as Node-only, and nothing in it asks for Node`);
    } else {
      problems.push(...uses.map((use) => `${manifest.name} does not declare "${subpath}" as Node-only, and ${use}`));
    }
  }
  return problems;
}

/** Every place from which an entry gets one of Node's modules, in its own files and those that the build inlines. */
async function usesOfNode({ directory, manifest }: Package, source: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: directory,
    entryPoints: [source],
    outdir: 'unused',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'neutral',
    format: 'esm',
    packages: 'external',
    alias: { '@quiesce/internal': join(root, 'packages/internal/src/index.ts') },
    logLevel: 'silent',
  });
  return Object.entries(metafile.inputs).flatMap(([path, { imports }]) => {
    const file = join(directory, path);
    const where = relative(root, file).startsWith('..') ? path : relative(root, file);
    const imported = imports
      .filter((one) => isBuiltin(one.path) || nodeOnlyOfOurs.includes(one.path))
      .map((one) => `${where} imports ${one.path}`);
    const optional = manifest.quiesce?.nodeIfThere ?? [];
    const asked = builtinsAskedFor(file).filter(({ id, canBeMissing }) => !(canBeMissing && optional.includes(id)));
    return [...imported, ...asked.map(({ id }) => `${where} asks process.getBuiltinModule for ${id}`)];
  });
}

/** A module that is asked for at run time; `canBeMissing` when that is done by `?.`. */
interface Asked {
  id: string;
  canBeMissing: boolean;
}

function builtinsAskedFor(file: string): Asked[] {
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found: Asked[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && nameOf(node.expression) === 'getBuiltinModule') {
      const [id] = node.arguments;
      found.push({
        id: id !== undefined && ts.isStringLiteral(id) ? id.text : 'something',
        canBeMissing: ts.isCallChain(node),
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function nameOf(callee: ts.Expression): string | undefined {
  if (ts.isIdentifier(callee)) return callee.text;
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : undefined;
}
