// The same page without Quiesce.
import { testTypeAhead } from './react-type-ahead.ts';

testTypeAhead('by hand', 'rival.html');
