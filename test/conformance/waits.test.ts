import { exploreAll } from './waits.ts';

exploreAll(false);
