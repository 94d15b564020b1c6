import { describe, expect, it } from 'vitest';
import { allFences, complaintAbout, fencesOf } from './fences.ts';

it('every code block of the documentation is executed, names the test that runs it, or gives the reason why no test does', () => {
  const complaints = allFences.map((fence) => [fence.place, complaintAbout(fence)]);
  expect(complaints.filter(([, complaint]) => complaint !== undefined)).toEqual([]);
});

describe('a code block', () => {
  const complaints = (text: string, page = 'docs/made-up.md'): (string | undefined)[] =>
    fencesOf(page, text).map(complaintAbout);
  const executed = '- > ```ts\n  > stop(); // => stopped\n  > ```\n';

  it.each([
    ['in a language that is not executed', '```js\nstop();\n```', 'is not executed'],
    ['with tildes, in a list, in a quotation', '> 1. ~~~JavaScript {1,3}\n>    stop();', 'is not executed'],
    ['that is indented', 'Text.\n\n    stop();', 'does not name its language'],
    ['in HTML', '<pre><code class="language-ts">stop();</code></pre>', 'does not name its language'],
    ['with a runner that does not exist', '<!-- run by test/none.ts -->\n```js\nstop();\n```', 'does not exist'],
    ['without a reason', '<!-- not run: no -->\n```js\nstop();\n```', 'is not executed'],
    ['with a line that is too long', `\`\`\`ts\nstop('${'x'.repeat(100)}');\n\`\`\``, 'has a line of 109 columns'],
    ['with a comment that resembles a promised output', '```ts\nstop(); // -> stopped\n```', 'no test compares'],
  ])('%s is refused', (_, text, complaint) => {
    expect(complaints(text)).toEqual([expect.stringContaining(complaint)]);
  });

  it('is refused in a docstring, at its line', () => {
    const source = '\n/**\n * Stops.\n *\n * ```js\n * stop();\n * ```\n */\nexport function stop(): void {}\n';
    expect(fencesOf('packages/made-up/src/stop.ts', source)).toMatchObject([
      { place: 'packages/made-up/src/stop.ts:5', code: 'stop();\n', language: 'js' },
    ]);
    expect(complaints(source, 'stop.ts')).toEqual([expect.stringContaining('is not executed')]);
  });

  it('is accepted when it is executed, names its runner, gives a reason, or needs no compiler', () => {
    const text = [
      executed,
      '<!-- run by test/docs/fences.test.ts -->\n\n```js\nstop();\n```\n',
      '<!-- not run: it deletes the hard disk -->\n\n```ts\nstop();\n```\n',
      '```sh\nnpm test\n```\n',
    ];
    expect(complaints(text.join('\n'))).toEqual([undefined, undefined, undefined, undefined]);
    expect(fencesOf('docs/made-up.md', executed)).toMatchObject([
      { code: 'stop(); // => stopped\n', promised: ['stopped'] },
    ]);
  });
});
