// Lets threads load TypeScript. Threads inherit this `--import`; on Node 20, `--import tsx` does not reach them.
import { register } from 'tsx/esm/api';

register();
