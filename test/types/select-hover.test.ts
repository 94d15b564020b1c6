// Tests the hover texts and messages of an editor, through TypeScript's language service: a readable union instead of nested
// helper types, and a helpful message for common mistakes.
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from '../package/packages.ts';

const file = join(root, 'packages/select/test/hover.ts');
const head = `
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { match, select, selectEach, sleep, timeout, trySelect } from '@quiesce/select';
const [, rx] = broadcast<number>(4);
const token = new CancellationToken();
declare const isOn: boolean;
`;

const { config } = ts.readConfigFile(join(root, 'test/tsconfig.node.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(root, 'test'));

let text = '';
let version = 0;
const service = ts.createLanguageService({
  getScriptFileNames: () => [file],
  getScriptVersion: (path) => (path === file ? String(version) : '0'),
  getScriptSnapshot: (path) => {
    const content = path === file ? text : ts.sys.readFile(path);
    return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
  },
  getCurrentDirectory: () => root,
  getCompilationSettings: () => ({ ...options, noUnusedLocals: false }),
  getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
  fileExists: (path) => path === file || ts.sys.fileExists(path),
  readFile: (path) => (path === file ? text : ts.sys.readFile(path)),
  directoryExists: ts.sys.directoryExists,
  getDirectories: ts.sys.getDirectories,
});

function write(program: string): void {
  text = `${head}${program}`;
  version++;
}

/** Returns the hover text above `what`, in one line. */
function hover(program: string, what: string): string {
  write(program);
  const info = service.getQuickInfoAtPosition(file, text.lastIndexOf(what));
  return ts.displayPartsToString(info?.displayParts).replaceAll(/\s+/g, ' ');
}

/** Returns the compiler's messages about a program. */
function messages(program: string): string[] {
  write(program);
  return service
    .getSemanticDiagnostics(file)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

const one = (name: string, value: string): string =>
  `{ readonly branch: "${name}"; readonly value: ${value}; readonly late?: readonly Late[]; }`;

describe('hovering over', () => {
  test('the outcome of select shows a union of plain objects', () => {
    const program = `const outcome = await select({
      stopped: token, job: isOn && rx, tick: sleep(1), page: async () => 'text',
      two: match(rx, (n): n is 2 => n === 2), off: false, else: () => true,
    });`;
    expect(hover(program, 'outcome')).toBe(
      `const outcome: ${[
        one('stopped', 'unknown'),
        one('else', 'boolean'),
        one('job', 'number'),
        one('tick', 'void'),
        one('page', 'string'),
        one('two', '2'),
      ].join(' | ')}`,
    );
  });

  test('the outcome of trySelect, biased and selectEach shows plain objects', () => {
    expect(hover('const outcome = trySelect({ job: rx });', 'outcome')).toBe(
      'const outcome: { readonly ok: false; readonly why: "pending" | "off"; } | { readonly ok: true; readonly branch: "job"; readonly value: number; }',
    );
    expect(hover('const outcome = await select.biased({ job: rx });', 'outcome')).toBe(
      `const outcome: ${one('job', 'number')}`,
    );
    expect(hover('for await (const outcome of selectEach({ job: rx })) void 0;', 'outcome')).toBe(
      `const outcome: ${one('job', 'number')}`,
    );
  });

  test('a value inside a case shows only its type', () => {
    const program = `const outcome = await select({ job: rx, tick: sleep(1) });
      if (outcome.branch === 'job') outcome.value;`;
    expect(hover(program, 'value')).toBe('(property) value: number');
  });

  test('the result of timeout shows the value', () => {
    expect(hover("const answer = await timeout(5, async () => 'text');", 'answer')).toBe('const answer: string');
  });
});

describe('the message of', () => {
  test.each([
    ['a number as a branch', 'select({ job: 5 });', "Type 'number' is not assignable to type 'Branch'."],
    [
      'a number as a name',
      'select({ 1: token });',
      "Property ''give the branch a name that is not a number'' is missing in type 'CancellationToken' but required in type 'IntegerLikeNamesAreReordered'.",
    ],
    [
      'a misspelt case',
      "const { branch } = await select({ job: rx, tick: sleep(1) }); switch (branch) { case 'jbo': }",
      `Type '"jbo"' is not comparable to type '"job" | "tick"'.`,
    ],
    [
      'an else that is no function',
      "select({ job: rx, else: 'idle' });",
      "Type 'string' is not assignable to type '() => unknown'.",
    ],
  ])('%s', (_, program, expected) => {
    expect(messages(program)).toEqual([expected]);
  });

  test('a promise in trySelect names the promise', () => {
    const [message] = messages('trySelect({ job: Promise.resolve(1) });');
    expect(message?.split('\n')[0]).toBe("Type 'Promise<number>' is not assignable to type 'ReadyBranch'.");
  });

  test('a switch that handles every branch and returns is absent', () => {
    const program = `async function all(): Promise<number> {
      const outcome = await select({ job: rx, stopped: token });
      switch (outcome.branch) { case 'job': return outcome.value; case 'stopped': return 0; }
    } void all;`;
    expect(messages(program)).toEqual([]);
    expect(messages(program.replace("case 'stopped': return 0;", ''))).toEqual([
      "Function lacks ending return statement and return type does not include 'undefined'.",
    ]);
  });
});
