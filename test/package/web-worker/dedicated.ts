import { serveTasks } from 'quiesce/web';
import { work } from './loops.ts';

serveTasks(work);
