import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const names = ['cancel', 'channel', 'drain', 'queue', 'quiesce', 'quiet', 'scope', 'select', 'shutdown'];

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export default defineConfig({
  build: { rolldownOptions: { input: [pathOf('index.html'), pathOf('rival.html')] } },
  plugins: [
    {
      name: 'search',
      // The server of the search: in place of yours.
      configureServer: ({ middlewares }) => {
        middlewares.use('/search', (request, response) => {
          const text = new URL(request.url ?? '', 'http://localhost').searchParams.get('text') ?? '';
          response.end(JSON.stringify(names.filter((name) => name.includes(text))));
        });
      },
    },
  ],
});
