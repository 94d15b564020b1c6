// Lets threads load TypeScript as well, which `--import tsx` alone does not on Node 20: threads inherit this `--import`.
import { register } from 'tsx/esm/api';

register();
