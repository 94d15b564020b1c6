// Runs the service in a process of its own:
//
//   DATABASE_URL=postgres://… node --import tsx docs/examples/service/start.ts

import { runMain } from 'quiesce/node';
import { main, options } from './main.ts';

await runMain(main, options);
