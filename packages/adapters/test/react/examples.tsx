// The components in the docstrings of the hooks.

import { useScope, useTask, useToken } from '@quiesce/adapters/react';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { useState } from 'react';

export function Download({ url }: { readonly url: string }) {
  const token = useToken();
  return (
    <button type="button" onClick={() => void fetch(url, { signal: token.signal })}>
      Download
    </button>
  );
}

export function Save({ text }: { readonly text: string }) {
  const s = useScope();
  const save = async (token: CancellationToken) => {
    await fetch('/save', { method: 'POST', body: text, signal: token.signal });
  };
  // A second click cancels the request of the first.
  return (
    <button type="button" onClick={() => s.spawn(save, { key: 'save' })}>
      Save
    </button>
  );
}

export function Search() {
  const [text, setText] = useState('');
  const found = useTask((token) => search(text, token), [text], { delay: 200 });
  return (
    <>
      <input value={text} onChange={(event) => setText(event.target.value)} />
      <ul>
        {found.value?.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </>
  );
}

let search: (text: string, token: CancellationToken) => Promise<readonly string[]> = async () => [];

/** Lets a case answer the searches. */
export function openSearch(log: string[]): { open(text: string, found: readonly string[]): void } {
  const answers = new Map<string, (found: readonly string[]) => void>();
  search = (text, token) => {
    log.push(`search ${JSON.stringify(text)}`);
    token.onCancelled(() => log.push(`cancelled ${JSON.stringify(text)}`));
    return new Promise((resolve) => answers.set(text, resolve));
  };
  return { open: (text, found) => answers.get(text)?.(found) };
}
