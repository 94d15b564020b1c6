// The page around the search: in place of yours.
import { type ReactNode, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

function Page({ children }: { readonly children: ReactNode }) {
  const [isOpen, setIsOpen] = useState(true);
  return (
    <main>
      <button type="button" onClick={() => setIsOpen(!isOpen)}>
        {isOpen ? 'Close' : 'Open'}
      </button>
      {isOpen && children}
    </main>
  );
}

export function showPage(children: ReactNode): void {
  const element = document.body.appendChild(document.createElement('div'));
  createRoot(element).render(<StrictMode children={<Page children={children} />} />);
}
