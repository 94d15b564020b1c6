// vitest's `expect`, put together from its own parts without vitest around it.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  customMatchers,
  type ExpectStatic,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import * as chai from 'chai';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

const globals = globalThis as unknown as Record<symbol, object>;

function check(value: unknown, message?: string): Chai.Assertion {
  const { assertionCalls } = getState(expect);
  setState({ assertionCalls: assertionCalls + 1 }, expect);
  return chai.expect(value, message);
}

function unreachable(message?: string): never {
  return chai.assert.fail(`expected${message === undefined ? '' : ` "${message}"`} not to be reached`);
}

export const expect: ExpectStatic = Object.assign(check, chai.expect, globals[ASYMMETRIC_MATCHERS_OBJECT], {
  unreachable,
}) as unknown as ExpectStatic;

globals[GLOBAL_EXPECT] = expect;
setState(
  {
    assertionCalls: 0,
    isExpectingAssertions: false,
    isExpectingAssertionsError: null,
    expectedAssertionsNumber: null,
    expectedAssertionsNumberErrorGen: null,
  },
  expect,
);
(chai.expect as unknown as { extend(on: ExpectStatic, matchers: object): void }).extend(expect, customMatchers);
