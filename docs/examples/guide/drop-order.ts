// The guide, chapter 9, "Drop Order": the outer cleanup runs first, while the inner resource still exists.
//
// Rust drops a struct before its fields, fields in the order of declaration, and variables in reverse order. Quiesce
// has one rule for blocks, scopes and shutdown hooks: the last one opened closes first. A resource is opened after its
// dependencies, so it closes before them.

import { scope } from '@quiesce/scope';
import { Shutdown } from '@quiesce/shutdown';

class Inner implements Disposable {
  data: string | undefined = 'Hello';

  [Symbol.dispose](): void {
    console.log(`dropping inner with data: ${this.data}`);
    this.data = undefined;
  }
}

class Outer implements Disposable {
  readonly value = 42;
  readonly inner: Inner;

  constructor(inner: Inner) {
    this.inner = inner;
  }

  [Symbol.dispose](): void {
    console.log(`dropping outer with value: ${this.value}, inner data is still there: ${this.inner.data}`);
  }
}

console.log('a block');
{
  using inner = new Inner();
  using _ = new Outer(inner);
}

console.log('a scope');
await scope(async (s) => {
  const inner = await s.use(new Inner());
  s.use(new Outer(inner));
});

console.log('a program');
const shutdown = new Shutdown();
const inner = new Inner();
const outer = new Outer(inner);
shutdown.hook('inner', () => inner[Symbol.dispose]());
shutdown.hook('outer', () => outer[Symbol.dispose]());
shutdown.request();
await shutdown.stopped();

// Output:
//   a block
//   dropping outer with value: 42, inner data is still there: Hello
//   dropping inner with data: Hello
//   a scope
//   dropping outer with value: 42, inner data is still there: Hello
//   dropping inner with data: Hello
//   a program
//   dropping outer with value: 42, inner data is still there: Hello
//   dropping inner with data: Hello
