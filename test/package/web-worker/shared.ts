import { serveTasks } from 'quiesce/web';
import { work } from './loops.ts';

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port !== undefined) serveTasks(work, { port });
});
