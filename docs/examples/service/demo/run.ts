import { drive, type Plan } from './drive.ts';
import { openPostgres } from './postgres.ts';
import { type Output, Screen } from './screen.ts';
import { findings, verdict } from './verdict.ts';

const faultTexts = {
  hook: ', with a hook that never ends',
  signal: ', with a second signal while it drains',
  client: ', with a client that never reads',
  job: ', with a job that ignores its cancellation',
};

/** Runs the demo. Returns whether nothing was lost. */
export async function runDemo(plan: Plan, output: Output): Promise<boolean> {
  const screen = new Screen(output);
  const how = plan.isWithout ? ' without a graceful shutdown' : '';
  const fault = plan.fault === undefined ? '' : faultTexts[plan.fault];
  screen.title(`A service${how} under load, and SIGTERM in the middle of it${fault} (docs/examples/service)`);
  screen.say('demo', 'starting a database');
  const postgres = await openPostgres();
  try {
    screen.say('demo', `database: ${postgres.description}`);
    const outcome = await drive(plan, postgres, screen);
    const last = verdict(outcome);
    screen.report(findings(outcome), last);
    return last.isGood;
  } finally {
    await postgres.close();
  }
}
