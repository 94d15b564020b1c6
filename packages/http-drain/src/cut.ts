import type { Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** What a request came on: its connection, or its stream of HTTP/2. */
export type Carrier = Socket | Http2Stream;

/**
 * Ends a request's carrier so that its client notices: a stream is reset, and so is a connection, where the system allows it.
 * After a FIN, a response without a length would look whole, and so would a tunnel.
 */
export function cut(carrier: Carrier): void {
  // Without a listener an error would end the process.
  carrier.on('error', () => {});
  // Not its close(): that sends the end of the response before the reset.
  if ('rstCode' in carrier) carrier.destroy(new Error('The deadline has passed before the response had ended'));
  else reset(carrier);
}

function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // Only TCP can be reset, and neither TLS nor a socket of the file system.
    socket.destroy();
  }
}
