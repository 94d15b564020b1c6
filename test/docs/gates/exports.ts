// What is exported has to say what it is, and to show it in an example that is executed.
import { relative } from 'node:path';
import ts from 'typescript';

/** Something public that is not documented as the house asks for. */
export interface Undocumented {
  /** `@quiesce/select: sleep`. */
  readonly name: string;
  /** `packages/select/src/sleep.ts:93`. */
  readonly place: string;
  readonly lacks: 'a docstring' | 'an executed example';
}

/** Where a package can be imported from: `@quiesce/select` and the source behind it. */
export interface Entry {
  readonly name: string;
  readonly file: string;
}

/** Executed with all the others, or by a test of its own; code.ts sees to it that there is one. */
const executed = /@example[\s\S]*?(?:```ts|<!-- run by \S+ -->\s*```typescript)\n(?:(?!```)[\s\S])*\/\/ => \S/;

/**
 * Everything exported needs a docstring, members included. An example whose output is asserted is needed by what one calls
 * or constructs: functions and classes, however they are declared. Constants, types and records of options or results show
 * up in the examples of those.
 */
export function undocumented(entries: readonly Entry[], root: string): Undocumented[] {
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      allowImportingTsExtensions: true,
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [`${root}node_modules/@types`],
    },
  );
  const checker = program.getTypeChecker();
  const found = new Map<string, Undocumented>();

  const report = (name: string, symbol: ts.Symbol, lacks: Undocumented['lacks']): void => {
    const [declaration] = symbol.declarations ?? [];
    if (declaration === undefined) return;
    const source = declaration.getSourceFile();
    const line = source.getLineAndCharacterOfPosition(declaration.getStart()).line + 1;
    const place = `${relative(root, source.fileName)}:${line}`;
    found.set(`${place} ${lacks}`, { name, place, lacks });
  };

  for (const { name, file } of entries) {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${file} exports nothing that TypeScript finds`);
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const title = `${name}: ${exported.name}`;
      if (!isDocumented(symbol, checker)) report(title, symbol, 'a docstring');
      if (isCallable(symbol, checker) && !hasExample(symbol)) report(title, symbol, 'an executed example');
      for (const member of membersOf(symbol, checker)) {
        if (!isDocumented(member, checker)) report(`${title}.${member.name}`, member, 'a docstring');
      }
    }
  }
  return [...found.values()].sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }));
}

/** Whether one calls it or constructs it, be it a function, a class, or a constant that holds one. */
function isCallable(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  if (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class)) return true;
  const type = typeOfVariable(symbol, checker);
  return type !== undefined && type.getCallSignatures().length + type.getConstructSignatures().length > 0;
}

/** `undefined`: it is no variable. */
function typeOfVariable(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Type | undefined {
  return symbol.flags & ts.SymbolFlags.Variable ? checker.getTypeOfSymbol(symbol) : undefined;
}

/** A class that is completed by an interface of its name has its text at one of the two. */
function isDocumented(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() !== '';
}

function hasExample(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).map(commentOf).some((text) => executed.test(text));
}

/** The docstring of a declaration, or of the statement around a variable. */
function commentOf(declaration: ts.Declaration): string {
  const holder = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const source = holder.getSourceFile().text;
  const comments = (ts.getLeadingCommentRanges(source, holder.getFullStart()) ?? []).map(({ pos, end }) =>
    source.slice(pos, end),
  );
  const docstring = comments.filter((text) => text.startsWith('/**')).at(-1) ?? '';
  return docstring.replaceAll(/^[ \t]*\* ?/gm, '');
}

function isInternal(symbol: ts.Symbol): boolean {
  return symbol.getJsDocTags().some((tag) => tag.name === 'internal');
}

/** What a user can name: no private members, no constructors, nothing under a symbol, nothing of the language's own. */
function membersOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol[] {
  const tables = symbol.flags & ts.SymbolFlags.Class ? [symbol.members, symbol.exports] : [symbol.members];
  const all = [...tables.flatMap((table) => [...(table?.values() ?? [])]), ...membersOfType(symbol, checker)];
  return all.filter((member) => {
    const isNamed = /^[A-Za-z]\w*$/.test(member.name) && member.name !== 'prototype';
    const isPrivate = (member.declarations ?? []).some(
      (declaration) =>
        ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected),
    );
    const isOwn = (member.flags & (ts.SymbolFlags.TypeParameter | ts.SymbolFlags.Constructor)) === 0;
    return isNamed && !isPrivate && isOwn && !isInternal(member);
  });
}

/** Members of a record that is no interface but a `type`, and of what a constant holds. */
function membersOfType(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol[] {
  const isRecord = (symbol.declarations ?? []).some(
    (declaration) => ts.isTypeAliasDeclaration(declaration) && ts.isTypeLiteralNode(declaration.type),
  );
  const type = isRecord ? checker.getDeclaredTypeOfSymbol(symbol) : typeOfVariable(symbol, checker);
  return (type?.getProperties() ?? []).filter((member) =>
    (member.declarations ?? []).some((declaration) => !declaration.getSourceFile().isDeclarationFile),
  );
}
