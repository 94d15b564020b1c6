// Searches while you type, after a pause. Shows the result of the latest text only.
import { useTask } from '@quiesce/adapters/react';
import { useState } from 'react';
import { showPage } from './page.tsx';
import { search } from './search.ts';

function TypeAhead() {
  const [text, setText] = useState('');
  const [attempt, setAttempt] = useState(0);
  const found = useTask((token) => search(text, token.signal), [text, attempt], { delay: 200 });
  return (
    <>
      <input type="search" value={text} onChange={(event) => setText(event.target.value)} />
      <ul aria-busy={found.status === 'running'}>
        {found.value?.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
      {found.status === 'rejected' && (
        <p role="alert">
          {String(found.reason)}
          <button type="button" onClick={() => setAttempt(attempt + 1)}>
            Try again
          </button>
        </p>
      )}
    </>
  );
}

showPage(<TypeAhead />);
