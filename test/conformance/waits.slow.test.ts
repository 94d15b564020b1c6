import { exploreAll } from './waits.ts';

exploreAll(true);
