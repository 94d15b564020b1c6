// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { type TaskState, useScope, useTask, useToken } from '@quiesce/adapters/react';
import { createElement } from 'react';

function Profile({ name }: { readonly name: string }): string {
  const user: TaskState<string> = useTask(async (token) => `${name} ${token.isCancelled}`, [name], { delay: 5 });
  return `${user.status} ${useToken().isCancelled} ${useScope({ name }).name}`;
}

const { type, props } = createElement(Profile, { name: 'ada' });
if (type !== Profile || props.name !== 'ada') throw new Error('the component has no element');
