// Type tests: packages/*/test/*.test-d.ts are compiled and never run. A line that must be rejected follows
// `// @ts-expect-error <part of the message>`. `tsc -b` checks that there is an error; this file checks that it is the right one.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from '../package/packages.ts';

const directive = '@ts-expect-error';

interface TypeTest {
  name: string;
  path: string;
  /** The expected messages of the compiler, by line, counted from 1. */
  expected: Map<number, string>;
  /** The message. */
  found: Map<number, string>;
}

const tests = compile(
  ts.sys.readDirectory(join(root, 'packages'), ['.ts'], ['**/node_modules'], ['*/test/**/*.test-d.ts']),
);

test('type tests exist', () => {
  expect(tests).not.toEqual([]);
});

test.each(tests)('$name compiles, apart from the lines that must be rejected', ({ expected, found }) => {
  expect(
    [...found].filter(([line]) => !expected.has(line)).map(([line, message]) => `line ${line}: ${message}`),
  ).toEqual([]);
});

describe.each(tests)('$name', ({ expected, found }) => {
  test.each([...expected])('line %i is rejected: %s', (line, message) => {
    expect(message, `say after ${directive} what the compiler has to say`).not.toBe('');
    expect(found.get(line)).toContain(message);
  });
});

function compile(paths: string[]): TypeTest[] {
  const tests = paths.sort().map(read);
  const host = ts.createCompilerHost(options());
  const readSource = host.readFile;
  // Disables the directive without moving a character, so that the hidden errors appear at their lines.
  host.readFile = (file) => {
    const text = readSource(file);
    return file.endsWith('.test-d.ts') ? text?.replaceAll(directive, '@ts-must-complain') : text;
  };
  const program = ts.createProgram(
    tests.map(({ path }) => path),
    options(),
    host,
  );
  for (const { path, found } of tests) {
    for (const { start, messageText } of ts.getPreEmitDiagnostics(program, program.getSourceFile(path))) {
      const line = (program.getSourceFile(path)?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0) + 1;
      found.set(line, `${found.get(line) ?? ''}${ts.flattenDiagnosticMessageText(messageText, '\n')}\n`);
    }
  }
  return tests;
}

function read(path: string): TypeTest {
  const expected = new Map<number, string>();
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    const at = line.indexOf(`// ${directive}`);
    if (at >= 0) expected.set(index + 2, line.slice(at + 3 + directive.length).trim());
  }
  return { name: relative(root, path), path, expected, found: new Map() };
}

function options(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'test/tsconfig.node.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(root, 'test'));
  const { tsBuildInfoFile: _, ...others } = options;
  return { ...others, incremental: false };
}
