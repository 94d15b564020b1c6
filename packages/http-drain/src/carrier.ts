import type { Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** The connection or the stream of HTTP/2 that carries a request. */
export type Carrier = Socket | Http2Stream;

/**
 * Resets a stream, or a connection where the system allows it, so that the client notices. After a FIN, a response without a
 * length would look whole, and so would a tunnel.
 */
export function resetCarrier(carrier: Carrier): void {
  // Without a listener an error would end the process.
  carrier.on('error', () => {});
  // Not its close(): that sends the end of the response before the reset.
  if ('rstCode' in carrier) carrier.destroy(new Error('The deadline has passed before the response had ended'));
  else resetSocket(carrier);
}

function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // Only TCP sockets can be reset: not TLS, and not a socket of the file system.
    socket.destroy();
  }
}
