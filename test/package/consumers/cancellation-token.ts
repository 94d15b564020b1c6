import * as api from '@quiesce/cancellation-token';

if (Object.keys(api).length === 0) throw new Error('@quiesce/cancellation-token exports nothing');
