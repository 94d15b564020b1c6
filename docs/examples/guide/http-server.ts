// The guide, chapter 8, "HTTP Server with In-Flight Requests": new requests get 503, and requests in flight are served.
//
// The guide counts with a guard and polls the count every 100 ms. `HttpDrain` counts real requests on real connections and
// polls nothing. `runMain` handles the signals and cancels the remaining work after ten seconds.
//
// Run it. `curl -T - <the printed address>` is in flight until you press Ctrl-D there. Press Ctrl-C here before that.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { HttpDrain } from '@quiesce/http-drain';
import { runMain } from '@quiesce/shutdown';

await runMain(
  async (_scope, shutdown) => {
    let received = 0;
    const server = createServer(async (request, response) => {
      const id = received++;
      console.log(`request ${id} processing`);
      const body = await text(request);
      console.log(`request ${id} complete`);
      response.end(`request ${id}: got ${body.length} bytes\n`);
    });
    const http = new HttpDrain(server, { signal: shutdown.stopAccepting });
    shutdown.add(http); // stops the server, then waits for its requests
    shutdown.hook('report', () => {
      const { completedCount, refusedCount, destroyed } = http.report();
      console.log(`${completedCount} completed, ${refusedCount} refused with 503, ${destroyed.length} cut off`);
    });

    server.listen(0, '127.0.0.1', () => {
      console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
    await http.draining.cancelled();
    console.log(`new requests are refused, ${http.inFlightCount} in flight`);
  },
  { name: 'server', drainTimeout: 10_000 },
);

// Output, with two requests in flight at Ctrl-C, and a third one afterwards on a connection that was open:
//   listening on http://127.0.0.1:8080
//   request 0 processing
//   request 1 processing
//   new requests are refused, 2 in flight
//   request 0 complete
//   request 1 complete
//   2 completed, 1 refused with 503, 0 cut off
