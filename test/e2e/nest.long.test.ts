// Nest alone, without Quiesce.
import { testNest } from './nest.ts';

testNest('rival');
