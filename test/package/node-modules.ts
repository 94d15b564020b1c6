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
      .filter((one) => isOfRuntime(one.path) || nodeOnlyOfOurs.includes(one.path))
      .map((one) => `${where} imports ${one.path}`);
    const optional = manifest.quiesce?.nodeIfThere ?? [];
    const asked = askedAtRunTime(file).filter(({ ifThere }) => ifThere === undefined || !optional.includes(ifThere));
    return [...imported, ...asked.map(({ how }) => `${where} ${how}`)];
  });
}

/** Node's modules, also those that this Node has not got yet, and those of other runtimes: `bun:sqlite`. */
function isOfRuntime(specifier: string): boolean {
  return isBuiltin(specifier) || /^[a-z]+:/.test(specifier);
}

/** A module that is asked for at run time, which no bundler sees. */
interface Asked {
  how: string;
  /** The module, where that is done by `?.`, so that it can be missing. */
  ifThere?: string;
}

function askedAtRunTime(file: string): Asked[] {
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Asked[] = [];
  const visit = (node: ts.Node): void => {
    const asked = askedBy(node);
    if (asked !== undefined) found.push(asked);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function askedBy(node: ts.Node): Asked | undefined {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return textOf(node.arguments[0]) === undefined ? { how: 'imports what is known at run time alone' } : undefined;
  }
  if (!ts.isIdentifier(node) && !ts.isStringLiteralLike(node)) return undefined;
  const call = callOf(node);
  const id = textOf(call?.arguments[0]);
  if (node.text === 'getBuiltinModule' && !isDeclared(node)) {
    const how = `asks process.getBuiltinModule for ${id ?? 'something'}`;
    return id !== undefined && call !== undefined && ts.isCallChain(call) ? { how, ifThere: id } : { how };
  }
  if (node.text === 'require' && ts.isIdentifier(node) && id === undefined && !isDeclared(node)) {
    return { how: 'requires what is known at run time alone' };
  }
  return undefined;
}

/** The call whose function has this name; `undefined`: the name is not called, so who knows by whom it will be. */
function callOf(name: ts.Node): ts.CallExpression | undefined {
  const { parent } = name;
  const callee = ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent) ? parent : name;
  return ts.isCallExpression(callee.parent) && callee.parent.expression === callee ? callee.parent : undefined;
}

/** Whether the name is told of in a type, or in the declaration of something that is somewhere else. */
function isDeclared({ parent }: ts.Node): boolean {
  return (
    ts.isTypeElement(parent) ||
    ts.isLiteralTypeNode(parent) ||
    (ts.isVariableDeclaration(parent) && parent.initializer === undefined)
  );
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}
