// The reference: what docstrings say, as one Markdown page for each place that a package can be imported from.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, type DeclarationReflection, type ProjectReflection } from 'typedoc';
import { root } from '../../package/packages.ts';
import { entries } from '../gates/entries.ts';
import { pagesIn } from '../gates/markdown.ts';

/** Writes the pages below a folder: `@quiesce/worker-pool/node` is `@quiesce/worker-pool/node.md`. */
export async function writeReference(folder: string): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    name: 'Reference',
    entryPoints: entries().map(({ file }) => file),
    tsconfig: `${root}test/tsconfig.node.json`,
    // `npm run check` has compiled everything by then.
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
      invalidLink: true,
      notExported: false,
      notDocumented: false,
      invalidPath: true,
      rewrittenLink: true,
      unusedMergeModuleWith: true,
    },
    logLevel: 'Warn',
  });
  const markdown: Record<string, unknown> = {
    outputFileStrategy: 'modules',
    modulesFileName: 'modules',
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    useHTMLAnchors: true,
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
  const project = await app.convert();
  if (project === undefined) throw new Error('typedoc could not read the sources');
  nameModules(project);
  app.validate(project);
  app.options.setValue('outputs', [{ name: 'markdown', path: folder }]);
  await app.generateOutputs(project);
  for (const page of pagesIn(folder.replace(/\/*$/, '/'), '', ['.md']))
    writeFileSync(join(folder, page.file), anchored(page.text));
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('typedoc has found something wrong');
}

/** Its anchors become those of the headings: otherwise vitepress would number equal ones in its own way. */
function anchored(text: string): string {
  return text.replaceAll(/^<a id="([^"]+)"><\/a>\s*\n+(#+ .*)$/gm, '$2 {#$1}');
}

/** A module is named by its file; people know it by what they import. */
function nameModules(project: ProjectReflection): void {
  const names = new Map(entries().map(({ name, file }) => [file, name]));
  for (const module of project.children ?? []) {
    const file = fileOf(module);
    const name = names.get(file);
    if (name === undefined) throw new Error(`typedoc found a module that no package exports: ${file}`);
    module.name = name;
  }
}

function fileOf(module: DeclarationReflection): string {
  return module.sources?.[0]?.fullFileName ?? '';
}
