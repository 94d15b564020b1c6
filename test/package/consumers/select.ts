import * as api from '@quiesce/select';

if (Object.keys(api).length === 0) throw new Error('@quiesce/select exports nothing');
