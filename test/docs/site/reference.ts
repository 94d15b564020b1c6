// Writes the reference: the docstrings, as one Markdown page for each module that users can import.
import {
  Application,
  Comment,
  Converter,
  DeclarationReflection,
  PageEvent,
  ReferenceReflection,
  ReflectionKind,
  type Router,
} from 'typedoc';
import { publicPackages, root } from '../../package/packages.ts';

/** Whether a module re-exports the names of the other packages. */
const isUmbrella = (module: string): boolean => /^quiesce(?:\/|$)/.test(module);
/** The umbrella comes last: typedoc documents a name in the first module that exports it. */
const documented = publicPackages().sort(
  (a, b) => Number(isUmbrella(a.manifest.name)) - Number(isUmbrella(b.manifest.name)),
);
/** The name of each module by its source: `packages/worker-pool/src/node/index.ts` → `@quiesce/worker-pool/node`. */
const modules = new Map(
  documented.flatMap(({ manifest, directory, entries }) =>
    [...entries].map(([subpath, source]) => [directory + source.slice(1), manifest.name + subpath.slice(1)] as const),
  ),
);

/** Writes the pages below a folder. Throws on a missing docstring or example, and on a dead link. */
export async function writeReference(folder: string): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    name: 'Reference',
    entryPoints: [...modules.keys()],
    tsconfig: `${root}test/tsconfig.node.json`,
    // `npm run lint` checks the types.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    readme: 'none',
    githubPages: false,
    disableGit: true,
    sourceLinkTemplate: 'https://github.com/quiesce/quiesce/blob/main/{path}#L{line}',
    basePath: root,
    displayBasePath: root,
    treatValidationWarningsAsErrors: true,
    validation: {
      ...{ invalidLink: true, notExported: false, notDocumented: true, invalidPath: true, rewrittenLink: true },
      unusedMergeModuleWith: true,
    },
    requiredToBeDocumented: ['Function', 'Class', 'Interface', 'TypeAlias', 'Variable', 'Method', 'Accessor'],
    // Type parameters. typedoc mistakes their constraints for functions.
    intentionallyNotDocumented: [
      ...['@quiesce/cancellation-token.DropGuard.T.__type.cancel'],
      ...['@quiesce/scope.Scope.race.W', '@quiesce/scope.Scope.any.W'],
    ],
    packagesRequiringDocumentation: documented.map(({ manifest }) => manifest.name),
    outputs: [{ name: 'markdown', path: folder }],
    logLevel: 'Warn',
  });
  const markdown: Record<string, unknown> = {
    outputFileStrategy: 'modules',
    modulesFileName: 'modules',
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    useCustomAnchors: true,
    anchorPrefix: 'api-',
    expandObjects: false,
    sanitizeComments: true,
    indexFormat: 'table',
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    tableColumnSettings: { hideSources: true, hideModifiers: true, hideInherited: true, hideOverrides: true },
  };
  for (const [option, value] of Object.entries(markdown)) app.options.setValue(option as never, value as never);
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_, module) => {
    const name = modules.get(module.sources?.[0]?.fullFileName ?? '');
    if (module.kind === ReflectionKind.Module && name !== undefined) module.name = name;
  });
  app.renderer.on(PageEvent.END, (page) => {
    const { model } = page;
    if (model instanceof DeclarationReflection && isUmbrella(model.name) && app.renderer.router !== undefined)
      page.contents = umbrellaPage(model, app.renderer.router);
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('typedoc could not read the sources: its messages are above');
  app.validate(project);
  // The same option of typedoc would also require docstrings in the cases of unions.
  for (const field of project.getReflectionsByKind(ReflectionKind.Property)) {
    const isNamed = field.parent?.kindOf(ReflectionKind.ClassOrInterface) === true && !field.name.startsWith('[');
    if (isNamed && !field.hasComment()) app.logger.error(`${field.getFullName()} has no docstring`);
  }
  for (const found of project.getReflectionsByKind(ReflectionKind.Function | ReflectionKind.Class)) {
    if (found.isDeclaration() && !hasExample(found)) app.logger.error(`${found.getFullName()} has no executed example`);
  }
  await app.generateOutputs(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings())
    throw new Error('The reference has errors or warnings: see the messages of typedoc above.');
}

/** Returns whether a docstring has an example that promises an output. `examples.test.ts` compares the output. */
function hasExample(declaration: DeclarationReflection): boolean {
  const comments = [declaration, ...(declaration.signatures ?? [])].map(({ comment }) => comment);
  const examples = comments.flatMap((comment) => comment?.getTags('@example') ?? []);
  return examples.some(({ content }) =>
    // Every code block is run, or says in a comment which test runs it, or why none does: see fences.ts.
    /```(?:tsx?|typescript)\n[\s\S]*\/\/ => \S|<!-- (?:run by|not run:) /.test(Comment.combineDisplayParts(content)),
  );
}

/**
 * Returns the page of the umbrella. Each value has a heading, its summary and a link, so that the search finds it here first. Types
 * are in a table: the search finds those on the page that documents them.
 */
function umbrellaPage(module: DeclarationReflection, router: Router): string {
  const found = (module.children ?? []).map((child) => {
    const target = child instanceof ReferenceReflection ? child.tryGetTargetReflectionDeep() : undefined;
    if (!(target instanceof DeclarationReflection))
      throw new Error(`${child.getFullName()} is documented in no package: list that package before the umbrella`);
    const isType = target.kind === ReflectionKind.Interface || target.kind === ReflectionKind.TypeAlias;
    return { name: child.name, isType, summary: summaryOf(target), address: router.relativeUrl(module, target) };
  });
  found.sort((a, b) => a.name.localeCompare(b.name, 'en'));
  const types = found.filter(({ isType }) => isType);
  const sections = [
    `# ${module.name}`,
    `Import these names from \`${module.name}\`. Each name links to its documentation.`,
    '## Values',
    ...found
      .filter(({ isType }) => !isType)
      .map(({ name, summary, address }) =>
        [`### ${name} {#api-${name}}`, summary, `[Documentation of \`${name}\`](${address})`].join('\n\n'),
      ),
  ];
  if (types.length > 0) {
    const rows = types.map(
      ({ name, summary, address }) =>
        `| [\`${name}\`](${address}) | ${summary.replaceAll('\n', ' ').replaceAll('|', '\\|')} |`,
    );
    sections.push('## Types', ['| type | purpose |', '| --- | --- |', ...rows].join('\n'));
  }
  return `${sections.join('\n\n')}\n`;
}

/** Returns the first paragraph of a docstring. */
function summaryOf(declaration: DeclarationReflection): string {
  const comment = declaration.comment ?? declaration.signatures?.find((signature) => signature.comment)?.comment;
  const [first = ''] = Comment.combineDisplayParts(comment?.summary).split('\n\n');
  return first.replaceAll(/\{@link ([\w.]+)\}/g, '`$1`');
}
