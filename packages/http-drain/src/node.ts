import type net from 'node:net';
import type tls from 'node:tls';

// The one place that asks for Node: everything else only uses the types of its modules, which leave nothing behind.
const modules = (globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> }).process;

if (modules?.getBuiltinModule === undefined) {
  throw new Error(
    '@quiesce/http-drain drains the HTTP servers of Node and cannot be loaded elsewhere: it needs Node 20.19 or later',
  );
}

const { getBuiltinModule } = modules;

/** What every server of Node descends from. */
export const NetServer: typeof net.Server = getBuiltinModule('node:net').Server;

/** What those with certificates descend from. */
export const TlsServer: typeof tls.Server = getBuiltinModule('node:tls').Server;

/** Opens a connection. */
export const connect: typeof net.connect = getBuiltinModule('node:net').connect;
