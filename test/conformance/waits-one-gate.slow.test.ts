import { exploreAll, halvesOfGates } from './waits.ts';

exploreAll(true, halvesOfGates[0]);
