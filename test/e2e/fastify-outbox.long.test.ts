// The same service without Quiesce.
import { testService } from './fastify-outbox.ts';

testService('rival');
