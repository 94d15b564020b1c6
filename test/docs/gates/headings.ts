// The READMEs of the packages have one form, so that whoever knows one knows where to look in the next.
import type { Page, Problem } from './markdown.ts';

/** Headings in their order; others may stand in between. */
const form: readonly RegExp[] = [
  /^What there is$/,
  /^Errors$/,
  /^Guarantees$/,
  /^Not this but that$/,
  // Upstream: what its users know, and how that is called and done here.
  /^Coming from .+$/,
];

/** What is missing, or in another order. */
export function misshapen({ file, text }: Page): Problem[] {
  const [, name = ''] = /^packages\/([^/]+)\//.exec(file) ?? [];
  const complaints: string[] = [];
  if (!text.startsWith(`# @quiesce/${name}\n\n`)) complaints.push(`begins with "# @quiesce/${name}", then what it is`);
  const head = text.slice(0, text.indexOf('\n## '));
  const install = head.indexOf('```sh\nnpm install @quiesce/');
  if (install === -1) complaints.push('says how to install it, before the first heading');
  if (head.indexOf('```t', install + 1) === -1)
    complaints.push('shows an example behind that, before the first heading');
  const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title);
  let after = -1;
  for (const pattern of form) {
    const title = pattern.source.slice(1, -1);
    const index = headings.findIndex((heading) => pattern.test(heading));
    if (index === -1) complaints.push(`has a heading "## ${title}"`);
    else if (index < after)
      complaints.push(`has "## ${title}" further down: ${form.map(({ source }) => source.slice(1, -1)).join(', ')}`);
    after = Math.max(after, index);
  }
  return complaints.map((complaint) => ({ place: file, text: `a README of a package ${complaint}` }));
}
