import type channels from 'node:diagnostics_channel';
import type http from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';

interface Modules {
  readonly channels: typeof channels;
  readonly http: typeof http;
  readonly net: typeof net;
  readonly tls: typeof tls;
}

const { channels: diagnostics, http: servers, net: sockets, tls: secure } = modulesOfNode();

/** The base class of every server of Node. */
export const NetServer: typeof net.Server = sockets.Server;

/** The base class of every connection of TCP or TLS. */
export const NetSocket: typeof net.Socket = sockets.Socket;

/** The base class of every server with TLS. */
export const TlsServer: typeof tls.Server = secure.Server;

/** Calls a function with each message of a diagnostics channel. */
export const subscribe: typeof channels.subscribe = diagnostics.subscribe;

/** Returns the servers of this process that are listening, as far as Node lists them. */
export function listeningServers(): net.Server[] {
  const { _getActiveHandles: handles } = process as { _getActiveHandles?(): unknown[] };
  return (handles?.() ?? []).filter((handle) => handle instanceof NetServer);
}

/** Opens a connection. */
export const connect: typeof net.connect = sockets.connect;

// A drain ends connections. Without Node's connections it would fail too late, so it fails here. Bun's server does not extend
// net.Server. Deno's does, but its connections do not belong to that server, so requests in flight would not be counted.
if (!(servers.Server.prototype instanceof NetServer) || 'Deno' in globalThis) {
  throw elsewhere('here node:http is not built on node:net');
}

/** The only access to the modules of Node. All other imports are types, which do not exist at run time. */
function modulesOfNode(): Modules {
  const host = (globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> }).process;
  const channels = host?.getBuiltinModule?.('node:diagnostics_channel');
  const http = host?.getBuiltinModule?.('node:http');
  const net = host?.getBuiltinModule?.('node:net');
  const tls = host?.getBuiltinModule?.('node:tls');
  // workerd has the function without the modules.
  if (channels === undefined || http === undefined || net === undefined || tls === undefined)
    throw elsewhere('here its modules are missing');
  return { channels, http, net, tls };
}

function elsewhere(why: string): Error {
  return new Error(
    '@quiesce/http-drain drains the HTTP servers of Node and cannot be loaded elsewhere: it needs Node 20.19 or later, ' +
      `and ${why}`,
  );
}
