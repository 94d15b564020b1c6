// Tokens in each of their states, and the rivals' objects, which live as long as the process. See `survive`.

import { CancellationToken } from '@quiesce/cancellation-token';
import { CancellationTokenSource as CodeSource } from 'vscode-jsonrpc';
import { survive } from '../harness.ts';
import { PlainNode, PlainToken, plainChain, plainChildren } from '../plain.ts';

function idle(): void {}

const tokens = [new CancellationToken(), new CancellationToken()];
for (const root of tokens) {
  const child = root.childToken();
  const registration = child.onCancelled(idle);
  survive(root, child, child.childToken(), registration);
}
tokens[0]?.cancel('stop');

const code = new CodeSource();
survive(code, code.token.onCancellationRequested(idle));

const plain = plainChildren(2, () => idle);
survive(plain, plainChain(2), new PlainNode(new PlainToken(plain, 1), idle));
