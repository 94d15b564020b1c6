/** Does nothing, on purpose. One function, since a bundler numbers several of one name, and stacks show that. */
export function ignore(): void {}
