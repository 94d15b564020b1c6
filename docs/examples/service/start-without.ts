// The same service without a listener for signals, like most services.

import { buildService } from './service.ts';
import { settingsOf } from './settings.ts';

const settings = settingsOf(process.env);
const { app } = buildService(settings);
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: settings.port })}, process ${process.pid}`);
