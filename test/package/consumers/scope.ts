import * as api from '@quiesce/scope';

if (Object.keys(api).length === 0) throw new Error('@quiesce/scope exports nothing');
