// The guide, chapter 3, "The Drop Trait": a connection closes at the end of the block that owns it.
//
// Rust's `drop` is `[Symbol.dispose]`, and `let` is `using`. A drop cannot wait. A scope can: it closes its resources
// after its body and all its tasks have ended, one at a time, even after a failure or a cancellation.

import { scope } from '@quiesce/scope';

class DatabaseConnection implements Disposable {
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }

  [Symbol.dispose](): void {
    console.log(`closing database connection ${this.id}`);
  }
}

async function disconnect({ id }: DatabaseConnection): Promise<void> {
  await Promise.resolve(); // in place of a message to the server, and its reply
  console.log(`database connection ${id} is closed on both sides`);
}

function example(): void {
  using connection = new DatabaseConnection(42);
  console.log(`querying connection ${connection.id}`);
} // closed here, even if the block throws

example();

await scope(async (s) => {
  const connection = await s.use(new DatabaseConnection(43), disconnect);
  console.log(`querying connection ${connection.id}`);
}); // returns after the connection is closed

// Output:
//   querying connection 42
//   closing database connection 42
//   querying connection 43
//   database connection 43 is closed on both sides
