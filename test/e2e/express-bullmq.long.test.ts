// The same service without Quiesce.
import { testService } from './express-bullmq.ts';

testService('rival');
