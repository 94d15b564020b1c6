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

/** What every server of Node descends from. */
export const NetServer: typeof net.Server = sockets.Server;

/** What every connection of TCP or TLS descends from. */
export const NetSocket: typeof net.Socket = sockets.Socket;

/** What those with certificates descend from. */
export const TlsServer: typeof tls.Server = secure.Server;

/** Calls a function with each message of a diagnostics channel. */
export const subscribe: typeof channels.subscribe = diagnostics.subscribe;

/** The servers of this process that are listening, as far as Node tells. */
export function listeningServers(): net.Server[] {
  const { _getActiveHandles: handles } = process as { _getActiveHandles?(): unknown[] };
  return (handles?.() ?? []).filter((handle) => handle instanceof NetServer);
}

/** Opens a connection. */
export const connect: typeof net.connect = sockets.connect;

// A drain ends connections, and would find out too late that a server has none of Node's beneath it. Bun's does not descend from
// net.Server; Deno's does, but its connections are not that server's, so nothing of what is in flight would be seen.
if (!(servers.Server.prototype instanceof NetServer) || 'Deno' in globalThis) {
  throw elsewhere('here node:http is not built on node:net');
}

/** The one place that asks for Node: everything else only uses the types of its modules, which leave nothing behind. */
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
    `@quiesce/http-drain drains the HTTP servers of Node and cannot be loaded elsewhere: it needs Node 20.19 or later, and ${why}`,
  );
}
