import * as api from '@quiesce/broadcast-channel';

if (Object.keys(api).length === 0) throw new Error('@quiesce/broadcast-channel exports nothing');
