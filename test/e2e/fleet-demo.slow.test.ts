import { describe, expect, it } from 'vitest';
import { postgres, startPostgres } from '../../packages/adapters/test/servers.ts';
import { losesNothingOn, runDemo } from './fleet-demo.ts';

describe('the demo of the fleet', { concurrent: true }, () => {
  losesNothingOn({
    ...{ variable: 'DATABASE_URL', name: 'PostgreSQL', program: postgres },
    ...{ start: startPostgres, scheme: 'postgres://postgres@' },
  });

  it('rejects options of the other examples with a message', async () => {
    const { code, output } = await runDemo(['--signal', 'SIGINT']);
    expect(output).toContain('--signal is for --example worker-loop');
    expect(code).toBe(2);
  });
});
