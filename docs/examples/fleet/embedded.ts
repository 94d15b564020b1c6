// A PostgreSQL without an installation: PGlite on disk, behind a socket. Its commits survive a SIGKILL.
//
//   node embedded.ts PORT FOLDER
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const [port, folder] = process.argv.slice(2);
process.on('disconnect', () => process.exit(1));
const db = await PGlite.create(folder as string);
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: Number(port), maxConnections: 100 });
await server.start();
process.send?.('ready');
