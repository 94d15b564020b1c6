// Writes the reference: the docstrings, as one Markdown page for each module that users can import.
import { Application, Comment, Converter, type DeclarationReflection, ReflectionKind } from 'typedoc';
import { publicPackages, root } from '../../package/packages.ts';

/** The umbrella re-exports names that other packages document. */
const documented = publicPackages().filter(({ manifest }) => manifest.name !== 'quiesce');
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
    /```(?:ts|typescript)\n[\s\S]*\/\/ => \S/.test(Comment.combineDisplayParts(content)),
  );
}
