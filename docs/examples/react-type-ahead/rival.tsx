// The same component by hand.
import { useEffect, useState } from 'react';
import { showPage } from './page.tsx';
import { search } from './search.ts';

function TypeAhead() {
  const [text, setText] = useState('');
  const [attempt, setAttempt] = useState(0);
  const [status, setStatus] = useState<'running' | 'fulfilled' | 'rejected'>('running');
  const [items, setItems] = useState<readonly string[]>([]);
  const [reason, setReason] = useState<unknown>();

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setStatus('running');
    const timer = setTimeout(async () => {
      try {
        const found = await search(text, signal);
        if (signal.aborted) return;
        setItems(found);
        setStatus('fulfilled');
      } catch (error) {
        if (signal.aborted) return;
        setReason(error);
        setStatus('rejected');
      }
    }, 200);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text, attempt]);

  return (
    <>
      <input type="search" value={text} onChange={(event) => setText(event.target.value)} />
      <ul aria-busy={status === 'running'}>
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
      {status === 'rejected' && (
        <p role="alert">
          {String(reason)}
          <button type="button" onClick={() => setAttempt(attempt + 1)}>
            Try again
          </button>
        </p>
      )}
    </>
  );
}

showPage(<TypeAhead />);
